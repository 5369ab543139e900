import { createSocket } from 'node:dgram';

const port = Number(process.env.ASSAY_PROBE_PORT);
const forged = Buffer.from(JSON.stringify({ v: 1, k: 'tick', p: process.pid, t: 0, n: 1, d: [0, 0, 0], u: [0, 0], h: [1, 1, 1, 1, 1], g: [0, 0], s: 0 }));
const some = [forged, Buffer.alloc(60_000, 'x'), Buffer.from('{'.repeat(1000)), Buffer.from('[]'), Buffer.from(JSON.stringify({ v: 1, p: -1, n: 1e300 }))];
const socket = createSocket('udp4');
socket.on('error', () => {});
const end = Date.now() + 2000;
// From the beginning at a rate at which they are read, then as fast as it can.
let slow = 20;
const first = setInterval(() => {
  socket.send(forged, port, '127.0.0.1', () => {});
  if (--slow > 0) return;
  clearInterval(first);
  flood();
}, 20);

function flood() {
  if (Date.now() > end) {
    socket.close();
    return;
  }
  let open = 200;
  for (let i = 0; i < 200; i++) {
    socket.send(some[i % some.length], port, '127.0.0.1', () => {
      if (--open === 0) setImmediate(flood);
    });
  }
}
