import { serve } from './hostile.mjs';

// As long as what a client reads at once, so that it does not see that there are more.
const head = 'HTTP/1.1 200 OK\r\nContent-Length: 4000\r\nX: ';
const answer = `${head}${'x'.repeat(4096 - 4000 - head.length - 4)}\r\n\r\n${'y'.repeat(4000)}`;
const ahead = answer.repeat(200);
serve((socket) => socket.write(ahead));

const block = new Int32Array(new SharedArrayBuffer(4));
setTimeout(() => Atomics.wait(block, 0, 0, 1500), 700);
