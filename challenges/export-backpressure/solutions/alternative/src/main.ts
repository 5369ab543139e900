// The export service, with fetch and async generators: every step asks the one before it for more, and the last one asks only when the
// client has taken what it was given.

import { createServer, type ServerResponse } from 'node:http';

import { readExport, sendExport } from './export.ts';
import { Failure } from './failure.ts';

const sourceUrl = process.env.SOURCE_URL ?? '';

const server = createServer((request, response) => {
  answer(new URL(request.url ?? '/', 'http://localhost'), response).catch((error: unknown) => fail(response, error));
});
server.listen(Number(process.env.PORT), '0.0.0.0');

async function answer(url: URL, response: ServerResponse): Promise<void> {
  if (url.pathname === '/healthz') {
    response.end('ok');
    return;
  }
  if (url.pathname !== '/export') throw new Failure(404, 'There is nothing here');
  await sendExport(readExport(url.searchParams), sourceUrl, response);
}

/** By status while that is possible, else by cutting the connection. */
function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, message } = error instanceof Failure ? error : new Failure(500, 'Something went wrong');
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ status, title: message }));
}
