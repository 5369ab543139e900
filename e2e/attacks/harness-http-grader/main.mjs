import { pour, serve } from './hostile.mjs';

const good = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
const long = 'x'.repeat(64 << 10);
const answers = [
  (socket) => pour(socket, `HTTP/1.1 200 OK\r\nX-A: ${long}`),
  (socket) => pour(socket, `HTTP/1.1 200 OK\r\n\r\n${long}`),
  (socket) => socket.write(`HTTP/1.1 503 Busy\r\nContent-Length: 9\r\nContent-Length: 0\r\n\r\n${good}`),
  (socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(10_000) + good),
  (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\u0082\u007f'),
  (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{'),
  (socket) => socket.resetAndDestroy(),
  (socket) => setInterval(() => socket.write('x'), 1000),
  (socket) => socket.write(good.repeat(50)),
  () => {},
];
serve((socket, number, request) => {
  if (request.startsWith('GET /healthz')) socket.write(good);
  else answers[number % answers.length](socket);
});
