import { openSync, readdirSync, writeSync } from 'node:fs';

import { attempt } from './attempt.mjs';

const body = Buffer.from(JSON.stringify({ version: 'assay/1', type: 'result', executions: [] }));
const frame = Buffer.concat([Buffer.from([0, 0, 0, body.length]), body]);
const write = (path) => attempt(`write ${path}`, () => writeSync(openSync(path, 'r+'), frame));

for (let fd = 0; fd < 20; fd++) {
  write(`/proc/1/fd/${fd}`);
  write(`/proc/1/task/1/fd/${fd}`);
}
attempt('list the open files of the driver', () => readdirSync('/proc/1/task/1/fd'));
attempt('list what the driver has mapped', () => readdirSync('/proc/1/map_files'));
for (const path of ['/dev/console', '/dev/tty', '/dev/tty0', '/dev/tty1', '/dev/pts/0', '/dev/pts/1', '/dev/ttyS0', '/dev/hvc0']) write(path);
