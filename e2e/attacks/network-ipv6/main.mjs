import { createSocket } from 'node:dgram';
import { lookup, resolve6 } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

import { attempt, attemptLater } from './attempt.mjs';

const port = Number(process.env.CANARY_PORT);
const known = process.env.CANARY_HOSTS.split(',');

// What the kernel says of this network: a line that ends in a name which is not that of the loopback leads somewhere.
for (const table of ['if_inet6', 'ipv6_route', 'igmp6']) {
  attempt(`finding a way in ${table}`, () => {
    const others = readFileSync(`/proc/net/${table}`, 'utf8').split('\n').filter((line) => line && !/\blo\b/.test(line));
    if (others.length === 0) throw new Error('only loopback is there');
    console.log(`note ${table} ${others.join('; ')}`);
  });
}

const hosts = [
  ...known.filter((host) => host.includes(':')),
  ...known.filter((host) => !host.includes(':')).map((host) => `::ffff:${host}`),
  'fd00:ec2::254', // metadata
  '64:ff9b::808:808', '2002:808:808::1', '2001:4860:4860::8888', '2606:4700:4700::1111', // translated, tunnelled, direct
];
// Neighbours and routers, by every interface but the loopback.
for (const scope of ['eth0', 2, 3, 4]) {
  hosts.push(`fe80::1%${scope}`, `ff02::1%${scope}`, `ff02::2%${scope}`);
}
const tries = [];
for (const host of hosts) {
  tries.push(
    attemptLater(`UDP to ${host}`, () => new Promise((resolve, reject) => {
      const socket = createSocket('udp6').on('error', reject);
      socket.send('canary', port, host, (error) => (error ? reject(error) : resolve()));
    })),
  );
  if (!host.startsWith('ff02')) {
    tries.push(
      attemptLater(`TCP to ${host}`, () => new Promise((resolve, reject) => {
        connect({ host, port, timeout: 3000 }).on('connect', resolve).on('error', reject).on('timeout', () => reject(new Error('TIMEOUT')));
      })),
    );
  }
}
for (const name of ['example.com', 'host.docker.internal', 'ip6-allnodes.example']) {
  tries.push(attemptLater(`lookup ${name}`, () => lookup(name, { family: 6 })), attemptLater(`resolve ${name}`, () => resolve6(name)));
}
await Promise.all(tries);
process.exit();
