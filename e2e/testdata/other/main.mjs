// A submission in a pod of its own, beside an attack on it. It says who came.
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { existsSync, writeFileSync } from 'node:fs';

const port = Number(process.env.OTHER_PORT);
let came = 0;
const places = [{ port, host: '::' }, { path: '\0assay-other' }, { path: '/tmp/other.sock' }, { path: '/out/other.sock' }, { path: '/dev/shm/other.sock' }];
await Promise.all(places.map((place) => new Promise((resolve) => createServer((socket) => {
  came++;
  socket.on('error', () => {}).destroy();
}).listen(place, resolve))));
const udp = createSocket('udp6').on('message', () => came++);
await new Promise((resolve) => udp.bind(port, resolve));

// That it hears at all.
for (const place of places) await new Promise((resolve) => connect(place.path ? place : { port, host: '127.0.0.1' }).on('close', resolve).on('error', () => {}).resume());
udp.send('x', port, '::ffff:127.0.0.1');
while (came < places.length + 1) await new Promise((resolve) => setTimeout(resolve, 10));
came = 0;
writeFileSync('/out/ready', 'ready');

const end = Date.now() + 25_000;
while (!existsSync('/data/stop') && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
console.log(`note ${came} came`);
process.exit(0);
