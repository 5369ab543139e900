import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';

import { attempt, attemptLater } from './attempt.mjs';

const hosts = process.env.CANARY_HOSTS.split(',');
const canary = process.env.CANARY_PORT;
const registry = new URL(process.env.REGISTRY);
const named = (host) => (host.includes(':') ? `[${host}]` : host);

// Past the proxy.
for (const host of [...hosts, '169.254.169.254', '1.1.1.1']) {
  await attemptLater(`TCP to ${host}`, () => new Promise((resolve, reject) => {
    connect({ host, port: Number(canary), timeout: 2000 }).on('connect', resolve).on('error', reject).on('timeout', () => reject(new Error('TIMEOUT')));
  }));
  await attemptLater(`UDP to ${host}`, () => new Promise((resolve, reject) => {
    createSocket(host.includes(':') ? 'udp6' : 'udp4').on('error', reject).send('x', Number(canary), host, (error) => (error ? reject(error) : resolve()));
  }));
}
await attemptLater('a name', () => lookup('elsewhere.example'));

// Through it.
const ask = (text) => new Promise((resolve, reject) => {
  const socket = connect({ host: '127.0.0.1', port: 3128, timeout: 10_000 }, () => socket.write(text));
  socket.on('error', reject).on('timeout', () => reject(new Error('TIMEOUT'))).on('end', () => reject(new Error('END'))).on('data', (data) => {
    const status = Number(data.toString('latin1').split(' ')[1]);
    if (status === 200) resolve();
    else reject(new Error(String(status)));
  });
});
const targets = [
  ...hosts.map((host) => `${named(host)}:${canary}`), `${registry.hostname}:22`, `${registry.hostname}.:${registry.port}`, `user@${registry.host}`,
  'elsewhere.example:443', '127.0.0.1:3128', `127.0.0.1:${canary}`, `[::1]:${canary}`, '[::ffff:127.0.0.1]:80', `0.0.0.0:${canary}`, '2130706433:80', 'localhost:80',
  '169.254.169.254:80', `[fe80::1%eth0]:${canary}`,
];
for (const target of targets) {
  await attemptLater(`CONNECT ${target}`, () => ask(`CONNECT ${target} HTTP/1.1\r\nHost: ${registry.host}\r\n\r\n`));
  await attemptLater(`GET ${target}`, () => ask(`GET http://${target}/ HTTP/1.1\r\nHost: ${registry.host}\r\n\r\n`));
}
await attemptLater('smuggle a request', () => ask(`POST ${registry.href}x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nCONNECT ${hosts[0]}:${canary} HTTP/1.1\r\n\r\n`));

// What lies beside the submission.
attempt('change the probe', () => writeFileSync('../probe.mjs', ''));
attempt('remove the probe', () => rmSync('../probe.mjs'));
attempt('open the probe', () => chmodSync('../probe.mjs', 0o777));
attempt('put something beside it', () => writeFileSync('../own.mjs', ''));
attempt('put another submission in place', () => renameSync('../app', '../old'));
attempt('change certificates', () => writeFileSync('/etc/assay/ca.pem', ''));
attempt('change node', () => writeFileSync(process.execPath, ''));
process.exit(0);
