// What the service answers.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

import { BadInput, isWhole } from './input.ts';
import { rebuildSteps } from './rebuild.ts';
import type { Slicer } from './slicer.ts';
import { emptyTable, multiplierOf, type Table } from './table.ts';

const MAX_BODY_BYTES = 16 * 1024 * 1024;
const PROBLEM = 'application/problem+json';

type Answer = { status: number; body: object; headers?: Record<string, string> };

export function router(slicer: Slicer): RequestListener {
  let table: Table = emptyTable;

  async function quote(request: IncomingMessage): Promise<Answer> {
    const order = parse(await readBody(request));
    const { cell, baseCents } = order;
    if (!isWhole(cell, 0, 2_147_483_647)) throw new BadInput('cell is not a whole number in its range');
    if (!isWhole(baseCents, 0, 100_000_000)) throw new BadInput('baseCents is not a whole number in its range');
    const m = multiplierOf(table, cell);
    return {
      status: 200,
      body: { cents: Math.floor((baseCents * m + 5000) / 10_000), multiplier: m / 10_000, epoch: table.epoch },
    };
  }

  async function rebuild(request: IncomingMessage): Promise<Answer> {
    const { checksum, ...cells } = await slicer.run(rebuildSteps(await readBody(request)));
    table = { epoch: table.epoch + 1, ...cells };
    return { status: 200, body: { epoch: table.epoch, checksum } };
  }

  async function answer(request: IncomingMessage): Promise<Answer> {
    switch (`${request.method} ${request.url}`) {
      case 'GET /healthz':
        return { status: 200, body: {} };
      case 'POST /quote':
        return quote(request);
      case 'POST /rebuild':
        return (await slicer.admit(() => rebuild(request))) ?? problem(503, 'Busy', { 'retry-after': '1' });
      default:
        return problem(404, 'Not found');
    }
  }

  return (request, response) => {
    answer(request)
      .catch((error: unknown) => {
        if (error instanceof BadInput) return problem(400, error.message);
        console.error(error);
        return problem(500, 'Internal error');
      })
      .then((result) => write(request, response, result));
  };
}

function problem(status: number, title: string, headers = {}): Answer {
  return { status, body: { status, title }, headers: { 'content-type': PROBLEM, ...headers } };
}

function write(request: IncomingMessage, response: ServerResponse, { status, body, headers }: Answer): void {
  request.resume(); // an unread body would keep the connection from its next request
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

function parse(bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    throw new BadInput('The body is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw new BadInput('The body is not an object');
  return value as Record<string, unknown>;
}

/** Chunks are put into place as they come, so that there is nothing large to do at the end. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > MAX_BODY_BYTES) throw new BadInput('The body is too large');
  let bytes = Buffer.allocUnsafeSlow(Math.max(announced, 4096));
  let length = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      const needed = length + chunk.length;
      if (needed > MAX_BODY_BYTES) throw new BadInput('The body is too large');
      if (needed > bytes.length) {
        const larger = Buffer.allocUnsafeSlow(2 * needed);
        bytes.copy(larger, 0, 0, length);
        bytes = larger;
      }
      chunk.copy(bytes, length);
      length = needed;
    }
  } catch (error) {
    throw error instanceof BadInput ? error : new BadInput('The body ended early');
  }
  return bytes.subarray(0, length);
}
