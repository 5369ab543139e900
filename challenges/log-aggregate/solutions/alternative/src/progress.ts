import { once } from 'node:events';
import { createServer, type Server } from 'node:http';

export type Progress = { bytes: number; lines: number };

export async function startProgressServer(port: string | undefined, read: () => Progress): Promise<Server | undefined> {
  if (!port) return undefined;
  const server = createServer((request, response) => {
    if (request.url === '/progress') response.setHeader('content-type', 'application/json').end(JSON.stringify(read()));
    else response.writeHead(404).end();
  });
  server.listen(Number(port), '127.0.0.1');
  await once(server, 'listening');
  return server;
}
