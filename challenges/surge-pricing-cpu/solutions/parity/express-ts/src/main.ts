import type { IncomingMessage } from 'node:http';

import express, { type NextFunction, type Request, type Response } from 'express';

import { Pool } from './pool.ts';

const MAX_REBUILDS = 10; // two run, eight wait
const MAX_BODY = 16 * 1024 * 1024;

const pool = new Pool();
let table: { epoch: number; ids: Int32Array; multipliers: Int32Array } = {
  epoch: 0,
  ids: new Int32Array(0),
  multipliers: new Int32Array(0),
};
let rebuilds = 0;

class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const app = express();
app.disable('x-powered-by');

app.get('/healthz', (request, response) => {
  response.json({ status: 'ok' });
});

app.post('/quote', express.json({ type: () => true, strict: false }), (request, response) => {
  response.json(quote(request.body));
});

// No body parser: the bytes are for the worker.
app.post('/rebuild', async (request, response) => {
  response.json(await rebuild(request));
});

app.use(() => {
  throw new HttpError(404, 'Not found');
});

// Four parameters make it a handler of errors.
app.use((error: Error & { status?: number }, request: Request, response: Response, next: NextFunction) => {
  request.resume(); // the rest of the body, if there is one
  const status = error.status ?? 500;
  if (status === 500) console.error(error);
  if (status === 503) response.set('retry-after', '1');
  response
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ status, title: status === 500 ? 'Internal error' : error.message }));
});

app.listen(Number(process.env.PORT), '0.0.0.0');

async function rebuild(request: IncomingMessage) {
  if (rebuilds === MAX_REBUILDS) throw new HttpError(503, 'Too many rebuilds');
  rebuilds += 1;
  try {
    const result = await pool.run(await readBody(request));
    if (result.invalid !== undefined) throw new HttpError(400, result.invalid);
    const { ids, multipliers, checksum } = result.table;
    table = { epoch: table.epoch + 1, ids, multipliers };
    return { epoch: table.epoch, checksum };
  } finally {
    rebuilds -= 1;
  }
}

function quote(order: unknown) {
  const { cell, baseCents } = (order ?? {}) as { cell?: unknown; baseCents?: unknown };
  if (!isWhole(cell, 2_147_483_647) || !isWhole(baseCents, 100_000_000)) {
    throw new HttpError(400, 'cell and baseCents must be whole numbers in range');
  }
  const i = find(table.ids, cell);
  const m = i === -1 ? 10_000 : table.multipliers[i]!;
  return { cents: Math.floor((baseCents * m + 5000) / 10_000), multiplier: m / 10_000, epoch: table.epoch };
}

function isWhole(value: unknown, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function find(sorted: Int32Array, id: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < id) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === id ? low : -1;
}

async function readBody(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = [];
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
