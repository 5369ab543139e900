// The export service. This starter runs, answers GET /healthz, and knows where the source is. It exports nothing yet.

import { createServer } from 'node:http';

const SOURCE_URL = process.env.SOURCE_URL;

/** What an answer with an error is made of. */
class Problem extends Error {
  constructor(status, title) {
    super(title);
    this.status = status;
  }
}

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
    const { status, message: title } = error instanceof Problem ? error : new Problem(500, 'Internal error');
    if (status === 500) console.error(error);
    // TODO: once the head of an answer has been sent, its status cannot be changed any more. What then?
    response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ status, title }));
  }
});
server.listen(Number(process.env.PORT), '0.0.0.0');

async function sendExport(query, response) {
  // TODO: this is the task. Ask the source for the rows, and send them to the client as they come.
  throw new Problem(501, `No export yet of ${query.get('rows')} rows from ${SOURCE_URL}`);
}
