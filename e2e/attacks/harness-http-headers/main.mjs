import { pour, serve } from './hostile.mjs';

const long = 'x'.repeat(64 << 10);
serve((socket, number) => {
  socket.write('HTTP/1.1 200 OK\r\nX-First: ');
  pour(socket, number % 2 === 0 ? long : `${long}\r\nX-More: `);
});
