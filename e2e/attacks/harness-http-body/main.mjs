import { pour, serve } from './hostile.mjs';

const long = 'x'.repeat(64 << 10);
const bodies = [
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', `10000\r\n${long}\r\n`],
  ['HTTP/1.1 200 OK\r\n\r\n', long],
  ['HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n\r\n', long],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n', `X-Trailer: ${long}\r\n`],
];
serve((socket, number) => {
  const [head, piece] = bodies[number % bodies.length];
  socket.write(head);
  pour(socket, piece);
});
