// Takes all requests. Answers /healthz, and asks the main thread for the rest.
import { createServer } from 'node:http';
import { parentPort } from 'node:worker_threads';

const open = new Map();
let last = 0;

const server = createServer(async (request, response) => {
  if (request.method === 'GET' && request.url === '/healthz') {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok"}');
    return;
  }
  const chunks = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return; // the client is gone
  }
  last += 1;
  open.set(last, response);
  parentPort.postMessage({ id: last, method: request.method, url: request.url, body: Buffer.concat(chunks) });
});
server.listen(Number(process.env.PORT), '0.0.0.0');

parentPort.on('message', ({ id, status, headers, body }) => {
  open.get(id).writeHead(status, headers).end(body);
  open.delete(id);
});
