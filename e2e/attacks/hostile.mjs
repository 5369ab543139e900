// A server on PORT that does not know HTTP: attacks say byte by byte what it answers.
import { createServer } from 'node:net';

/** Calls answer(socket, number, text) for what comes in, on however many connections. */
export function serve(answer) {
  let number = 0;
  createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => answer(socket, number++, data.toString('latin1')));
  }).listen(Number(process.env.PORT), '127.0.0.1');
}

/** Writes a piece again and again, as long as somebody takes it. */
export function pour(socket, piece) {
  const more = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', more);
  more();
}
