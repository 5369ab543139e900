import { createServer } from 'node:http';

export function serve(port, stats) {
  createServer((request, response) => {
    const send = (status, type, body) => response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body));
    if (request.method === 'GET' && request.url === '/healthz') return send(200, 'application/json', { ok: true });
    if (request.method === 'GET' && request.url === '/stats') return send(200, 'application/json', stats);
    send(404, 'application/problem+json', { status: 404, title: 'There is nothing here' });
  }).listen(port, '0.0.0.0');
}
