// Hands on what the source sends, and takes it from there without waiting for anybody.

import { createServer, get } from 'node:http';

const server = createServer((request, response) => {
  const { search } = new URL(request.url, 'http://localhost');
  const asked = get(`${process.env.SOURCE_URL}${search}`, { agent: false }, (source) => {
    response.writeHead(source.statusCode);
    source.on('data', (chunk) => response.write(chunk));
    source.on('end', () => response.end());
    source.on('error', () => response.destroy());
  });
  asked.on('error', () => response.destroy());
  response.on('close', () => asked.destroy());
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
