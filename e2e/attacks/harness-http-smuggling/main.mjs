import { serve } from './hostile.mjs';

const good = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}';
const bad = [
  'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}',
  'HTTP/1.1 503 Busy\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n'.repeat(10_000),
  'HTTP/1.1 503 Busy\r\nX-A: b\r\n Content-Length: 40\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 503 Busy\r\nX-A: b\rContent-Length: 40\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 503 Busy\nContent-Length: 0\n\n',
  '\r\n\r\nHTTP/0.9 200\r\n\r\n',
];
serve((socket, number) => {
  socket.write(bad[number % bad.length] + good.repeat(20));
});
