import { createServer } from 'node:http';

import { InvalidRebuild, parse } from './calculate.mjs';
import { Pool } from './pool.mjs';

const MAX_REBUILDS = 10; // two run, eight wait
const MAX_BODY = 16 * 1024 * 1024;

const pool = new Pool();
let table = { epoch: 0, ids: new Int32Array(0), multipliers: new Int32Array(0) };
let rebuilds = 0;

class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const server = createServer(async (request, response) => {
  try {
    send(response, 200, await answer(request));
  } catch (error) {
    if (error instanceof InvalidRebuild) error.status = 400;
    request.resume(); // the rest of the body, if there is one
    if (error.status === undefined) console.error(error);
    sendProblem(response, error.status ?? 500, error.status ? error.message : 'Internal error');
  }
});
server.listen(Number(process.env.PORT), '0.0.0.0');

async function answer(request) {
  switch (`${request.method} ${request.url}`) {
    case 'GET /healthz':
      return { status: 'ok' };
    case 'POST /quote':
      return quote(await readJson(request));
    case 'POST /rebuild':
      return await rebuild(request);
    default:
      throw new HttpError(404, 'Not found');
  }
}

async function rebuild(request) {
  if (rebuilds === MAX_REBUILDS) throw new HttpError(503, 'Too many rebuilds');
  rebuilds += 1;
  try {
    // The fault: 8 MB of JSON are parsed here, and everybody else waits.
    const result = await pool.run(parse(await readBody(request)));
    if (result.invalid) throw new InvalidRebuild(result.invalid);
    const { ids, multipliers, checksum } = result.table;
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

async function readJson(request) {
  const bytes = await readBody(request);
  try {
    return JSON.parse(Buffer.from(bytes.buffer).toString());
  } catch {
    throw new HttpError(400, 'The body is not JSON');
  }
}

async function readBody(request) {
  const chunks = [];
  let length = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      length += chunk.length;
      if (length > MAX_BODY) break;
      chunks.push(chunk);
    }
  } catch {
    throw new HttpError(400, 'The body ended early');
  }
  if (length > MAX_BODY) throw new HttpError(400, 'The body is too large');
  // Not Buffer.concat: small buffers share their memory, and shared memory cannot be transferred.
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

function send(response, status, body, headers = { 'content-type': 'application/json' }) {
  response.writeHead(status, headers).end(JSON.stringify(body));
}

function sendProblem(response, status, title) {
  const headers = { 'content-type': 'application/problem+json' };
  if (status === 503) headers['retry-after'] = '1';
  send(response, status, { status, title }, headers);
}
