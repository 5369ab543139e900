// GET /progress, from the first byte to the last.

import { once } from 'node:events';
import { createServer } from 'node:http';

/**
 * Serves what `progress` returns as JSON on 127.0.0.1. Without a port there is no server.
 *
 * @param {string | undefined} port
 * @param {() => { bytes: number, lines: number }} progress
 * @returns {Promise<() => void>} ends the server
 */
export async function serveProgress(port, progress) {
  if (!port) return () => {};

  const server = createServer((request, response) => {
    // A body is never read: this server has nothing to learn from one.
    request.resume();
    if (request.method !== 'GET' || request.url !== '/progress') {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(progress()));
  });
  server.listen(Number(port), '127.0.0.1');
  await once(server, 'listening');

  return () => {
    server.close();
    // Keep-alive connections would hold the process open after its work is done.
    server.closeAllConnections();
  };
}
