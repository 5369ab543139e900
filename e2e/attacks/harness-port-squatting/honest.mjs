import { createServer } from 'node:http';
import { once } from 'node:events';

const server = createServer((request, response) => response.end('{}')).listen(Number(process.env.PORT), '127.0.0.1');
await once(server, 'listening');
