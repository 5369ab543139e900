// Says what a submission finds when it looks around its container.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';

const code = (attempt) => {
  try {
    attempt();
    return 'ok';
  } catch (err) {
    return err.code ?? String(err);
  }
};

const fields = (path, separator) =>
  Object.fromEntries(
    readFileSync(path, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(separator)),
  );

const reach = (host) =>
  new Promise((resolve) => {
    const socket = connect({ host, port: 80, timeout: 2000 });
    socket.on('connect', () => resolve('ok'));
    socket.on('timeout', () => resolve('timeout'));
    socket.on('error', (err) => resolve(err.code));
  });

const mounts = Object.fromEntries(
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' '))
    .map(([, target, type, options]) => [target, [type, ...options.split(',')]]),
);

const program = '/tmp/program';
copyFileSync(process.execPath, program);
chmodSync(program, 0o755);

console.log(
  JSON.stringify({
    uid: process.getuid(),
    gid: process.getgid(),
    groups: process.getgroups(),
    hostname: hostname(),
    env: Object.keys(process.env).sort(),
    status: fields('/proc/self/status', /:\s+/),
    limits: Object.fromEntries(
      readFileSync('/proc/self/limits', 'utf8')
        .split('\n')
        .slice(1)
        .filter(Boolean)
        .map((line) => line.split(/\s{2,}/))
        .map(([name, soft, hard]) => [name, [soft, hard]]),
    ),
    mounts,
    interfaces: Object.keys(networkInterfaces()),
    devices: readFileSync('/proc/net/dev', 'utf8')
      .split('\n')
      .slice(2)
      .map((line) => line.split(':')[0].trim())
      .filter(Boolean),
    write: Object.fromEntries(
      ['/x', '/usr/x', '/etc/passwd', '/assay/x', '/assay/probe.mjs', '/assay/app/x', '/data/x', '/sys/x', '/out/x', '/tmp/x', '/dev/shm/x'].map(
        (path) => [path, code(() => writeFileSync(path, 'x'))],
      ),
    ),
    fill: code(() => writeFileSync('/out/big', Buffer.alloc(8 << 20))),
    execute: code(() => execFileSync(program, ['-v'])),
    kill: code(() => process.kill(1, 'SIGKILL')),
    read: Object.fromEntries(
      ['/proc/1/environ', '/proc/1/mem', '/proc/1/maps', '/proc/1/io', '/proc/1/root/assay'].map((path) => [
        path,
        code(() => readFileSync(path)),
      ]),
    ),
    list: Object.fromEntries(
      ['/proc/1/fd', '/proc/1/cwd/', '/proc/1/root/'].map((path) => [path, code(() => readdirSync(path))]),
    ),
    reach: [await reach('192.0.2.1'), await reach('example.invalid')],
  }),
);
