import { createServer } from 'node:http';

export function answer(port: number, stats: () => object): void {
  createServer((request, response) => {
    const found = request.url === '/healthz' ? { status: 'up' } : request.url === '/stats' ? stats() : undefined;
    response.writeHead(found ? 200 : 404, { 'content-type': found ? 'application/json' : 'application/problem+json' });
    response.end(JSON.stringify(found ?? { status: 404, title: 'Unknown' }));
  }).listen(port, '0.0.0.0');
}
