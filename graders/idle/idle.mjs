// A server with nothing to do. What a heartbeat to it takes is what our own harness and this machine add to every figure.
import { createServer } from 'node:http';

createServer((request, response) => response.end()).listen(Number(process.env.PORT), '127.0.0.1');
