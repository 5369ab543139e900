import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';

import { attemptLater } from './attempt.mjs';

const port = Number(process.env.OTHER_PORT);
const hosts = ['127.0.0.1', '::1', '0.0.0.0', '127.0.0.2', 'candidate', 'driver', '224.0.0.1', 'ff02::1%lo', '255.255.255.255', ...process.env.CANARY_HOSTS.split(',')];
for (let i = 1; i < 20; i++) hosts.push(`172.17.0.${i}`, `172.18.0.${i}`);
for (const list of Object.values(networkInterfaces())) hosts.push(...list.map((each) => each.address));

const tries = [];
for (const host of hosts) {
  tries.push(attemptLater(`TCP to ${host}`, () => new Promise((resolve, reject) => {
    connect({ host, port, timeout: 2000 }).on('connect', resolve).on('error', reject).on('timeout', () => reject(new Error('TIMEOUT')));
  })));
}
// What is sent into the void of one's own loopback is no success: whether somebody heard it, the other one says.
const socket = createSocket('udp4').on('error', () => {});
socket.bind(() => {
  socket.setBroadcast(true);
  for (const host of hosts.filter((host) => !host.includes(':'))) socket.send('attack', port, host, () => {});
});
for (const path of ['\0assay-other', '/tmp/other.sock', '/out/other.sock', '/dev/shm/other.sock']) {
  tries.push(attemptLater(`connect to ${path.replace('\0', '@')}`, () => new Promise((resolve, reject) => {
    connect({ path }).on('connect', resolve).on('error', reject);
  })));
}
await Promise.all(tries);
setTimeout(() => process.exit(0), 300);
