// The surge pricing service. This starter runs, answers GET /healthz, and quotes from the empty table of epoch 0.
// It does not rebuild yet.

import { createServer } from 'node:http';

const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** What an answer with an error is made of. */
class Problem extends Error {
  constructor(status, title) {
    super(title);
    this.status = status;
  }
}

const table = { epoch: 0, multipliers: new Map() }; // by id of the cell, in ten-thousandths

const server = createServer(async (request, response) => {
  try {
    const answer = await route(request);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  } catch (error) {
    const { status, message: title } = error instanceof Problem ? error : new Problem(500, 'Internal error');
    if (status === 500) console.error(error);
    request.resume(); // whatever is left of the body
    response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ status, title }));
  }
});
server.listen(Number(process.env.PORT), '0.0.0.0');

async function route(request) {
  switch (`${request.method} ${request.url}`) {
    case 'GET /healthz':
      return { status: 'ok' };
    case 'POST /quote':
      return quote(parse(await readBody(request)));
    case 'POST /rebuild':
      return rebuild(await readBody(request));
    default:
      throw new Problem(404, 'Not found');
  }
}

function quote({ cell, baseCents }) {
  // TODO: what is not a valid order is 400.
  const m = table.multipliers.get(cell) ?? 10_000;
  return {
    cents: Math.floor((baseCents * m + 5000) / 10_000),
    multiplier: m / 10_000,
    epoch: table.epoch,
  };
}

async function rebuild(body) {
  // TODO: this is the task. `body` holds the bytes of the request. Make the new table, put it in the place of the old
  // one, and return { epoch, checksum }, while quotes go on being answered.
  throw new Problem(501, `No rebuild yet, for a body of ${body.length} bytes`);
}

function parse(body) {
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new Problem(400, 'The body is not JSON');
  }
}

async function readBody(request) {
  const chunks = [];
  let length = 0;
  // An answer needs the connection: the iterator must not end it when we stop reading.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new Problem(400, 'The body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
