import { pour, serve } from './hostile.mjs';

const head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';
const frame = Buffer.from([0x82, 0x7f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
serve((socket) => {
  socket.write(head);
  socket.write(frame);
  pour(socket, Buffer.alloc(64 << 10));
});
