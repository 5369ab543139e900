import { createSocket } from 'node:dgram';
import { resolve4 } from 'node:dns/promises';
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';

import { attemptLater } from './attempt.mjs';

const port = Number(process.env.CANARY_PORT);
const hosts = [...process.env.CANARY_HOSTS.split(','), '169.254.169.254', '172.17.0.1', '1.1.1.1', '8.8.8.8', 'fd00:ec2::254', '2606:4700:4700::1111'];

console.log(`note interfaces ${Object.keys(networkInterfaces()).join(',')}`);
const tries = [];
for (const host of hosts) {
  for (const p of [port, 80, 443]) {
    tries.push(
      attemptLater(`TCP to ${host} port ${p}`, () => new Promise((resolve, reject) => {
        connect({ host, port: p, timeout: 3000 }).on('connect', resolve).on('error', reject).on('timeout', () => reject(new Error('TIMEOUT')));
      })),
    );
  }
  tries.push(
    attemptLater(`UDP to ${host}`, () => new Promise((resolve, reject) => {
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
      socket.on('error', reject);
      socket.send('canary', port, host, (error) => (error ? reject(error) : resolve()));
    })),
  );
}
for (const name of ['example.com', 'host.docker.internal', 'metadata.google.internal', 'example.net']) {
  tries.push(attemptLater(`lookup ${name}`, () => lookup(name)));
  tries.push(attemptLater(`resolve ${name}`, () => resolve4(name)));
}
await Promise.all(tries);
process.exit();
