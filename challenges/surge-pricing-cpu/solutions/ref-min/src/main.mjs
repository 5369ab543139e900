import { createServer } from 'node:http';
import { Worker } from 'node:worker_threads';

const MAX_WORKERS = 2;

let table = { epoch: 0, multipliers: new Map() };
let running = 0;
const waiting = [];

const server = createServer(async (request, response) => {
  try {
    if (request.method === 'GET' && request.url === '/healthz') {
      send(response, 200, { status: 'ok' });
    } else if (request.method === 'POST' && request.url === '/quote') {
      quote(response, await readBody(request));
    } else if (request.method === 'POST' && request.url === '/rebuild') {
      await rebuild(response, await readBody(request));
    } else {
      problem(response, 404, 'Not found');
    }
  } catch (error) {
    console.error(error);
    problem(response, 500, 'Internal error');
  }
});
server.listen(process.env.PORT, '0.0.0.0');

function quote(response, text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return problem(response, 400, 'The body is not JSON');
  }
  const { cell, baseCents } = body ?? {};
  if (!Number.isInteger(cell) || cell < 0 || !Number.isInteger(baseCents) || baseCents < 0) {
    return problem(response, 400, 'cell and baseCents must be whole numbers');
  }
  const m = table.multipliers.get(cell) ?? 10000;
  send(response, 200, {
    cents: Math.floor((baseCents * m + 5000) / 10000),
    multiplier: m / 10000,
    epoch: table.epoch,
  });
}

async function rebuild(response, text) {
  // One worker for each rebuild, two at a time; the others wait until it is their turn.
  if (running >= MAX_WORKERS) await new Promise((resolve) => waiting.push(resolve));
  else running++;
  try {
    const result = await runWorker(text);
    if (result.error) return problem(response, 400, result.error);
    table = { epoch: table.epoch + 1, multipliers: result.multipliers };
    send(response, 200, { epoch: table.epoch, checksum: result.checksum });
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

function runWorker(text) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.mjs', import.meta.url), { workerData: text });
    worker.on('message', resolve);
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error('the worker ended without a result')));
  });
}

async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function send(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function problem(response, status, title) {
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ status, title }));
}
