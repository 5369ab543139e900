import { Worker } from 'node:worker_threads';

import { InvalidRebuild, calculate } from './calculate.mjs';

const MAX_REBUILDS = 10; // two run, eight wait
const MAX_BODY = 16 * 1024 * 1024;

let table = { epoch: 0, ids: new Int32Array(0), multipliers: new Int32Array(0) };
let rebuilds = 0;

class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// The trick: a worker holds the socket and answers /healthz; this thread is flawed/inline and blocks.
const front = new Worker(new URL('./front.mjs', import.meta.url));
front.on('message', async (request) => {
  try {
    send(request.id, 200, await answer(request));
  } catch (error) {
    if (error instanceof InvalidRebuild) error.status = 400;
    if (error.status === undefined) console.error(error);
    sendProblem(request.id, error.status ?? 500, error.status ? error.message : 'Internal error');
  }
});

function answer(request) {
  switch (`${request.method} ${request.url}`) {
    case 'POST /quote':
      return quote(readJson(request));
    case 'POST /rebuild':
      return rebuild(request);
    default:
      throw new HttpError(404, 'Not found');
  }
}

function rebuild(request) {
  if (rebuilds === MAX_REBUILDS) throw new HttpError(503, 'Too many rebuilds');
  rebuilds += 1;
  try {
    const { ids, multipliers, checksum } = calculate(readBody(request));
    table = { epoch: table.epoch + 1, ids, multipliers };
    return { epoch: table.epoch, checksum };
  } finally {
    rebuilds -= 1;
  }
}

function quote(order) {
  const { cell, baseCents } = order ?? {};
  if (!isWhole(cell, 2_147_483_647) || !isWhole(baseCents, 100_000_000)) {
    throw new HttpError(400, 'cell and baseCents must be whole numbers in range');
  }
  const i = find(table.ids, cell);
  const m = i === -1 ? 10_000 : table.multipliers[i];
  return { cents: Math.floor((baseCents * m + 5000) / 10_000), multiplier: m / 10_000, epoch: table.epoch };
}

function isWhole(value, max) {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

function find(sorted, id) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < id) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === id ? low : -1;
}

function readJson(request) {
  const bytes = readBody(request);
  try {
    return JSON.parse(Buffer.from(bytes.buffer).toString());
  } catch {
    throw new HttpError(400, 'The body is not JSON');
  }
}

function readBody({ body }) {
  if (body.length > MAX_BODY) throw new HttpError(400, 'The body is too large');
  return new Uint8Array(body);
}

function send(id, status, body, headers = { 'content-type': 'application/json' }) {
  front.postMessage({ id, status, headers, body: JSON.stringify(body) });
}

function sendProblem(id, status, title) {
  const headers = { 'content-type': 'application/problem+json' };
  if (status === 503) headers['retry-after'] = '1';
  send(id, status, { status, title }, headers);
}
