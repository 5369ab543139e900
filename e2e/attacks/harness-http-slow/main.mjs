import { serve } from './hostile.mjs';

serve((socket, number) => {
  socket.write(number % 2 === 0 ? 'HTTP/1.1 200 OK\r\nX-Slow: ' : 'HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n');
  setInterval(() => socket.write('x'), 1000);
});
