// The export service: rows from a source, converted on the way to whoever asked for them.

import { createServer } from 'node:http';

import { createExports } from './exports.mjs';
import { Problem, sendProblem } from './problem.mjs';

const sendExport = createExports(process.env.SOURCE_URL);

const server = createServer(async (request, response) => {
  try {
    const url = new URL(request.url, 'http://localhost');
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /healthz':
        response.writeHead(200).end();
        break;
      case 'GET /export':
        await sendExport(url.searchParams, response);
        break;
      default:
        throw new Problem(404, 'Not found');
    }
  } catch (error) {
    fail(response, error);
  }
});

/** Tells the client that it did not work, in the way that is left: by status, or by breaking off. */
function fail(response, error) {
  if (response.destroyed) return; // the client has left, or has been cut off already
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (!(error instanceof Problem)) console.error(error);
  sendProblem(response, error instanceof Problem ? error : new Problem(500, 'Internal error'));
}

server.listen(Number(process.env.PORT), '0.0.0.0');
