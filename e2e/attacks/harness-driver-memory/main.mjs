import { openSync, readFileSync, readSync, readdirSync, readlinkSync, writeSync } from 'node:fs';

import { attempt } from './attempt.mjs';

for (const name of ['environ', 'maps', 'mem', 'auxv', 'stack', 'syscall', 'io']) {
  attempt(`read /proc/1/${name}`, () => {
    const some = Buffer.alloc(16);
    if (readSync(openSync(`/proc/1/${name}`, 'r'), some) === 0) throw new Error('EMPTY');
  });
}
for (const name of ['root', 'cwd', 'exe', 'fd/0', 'fd/1']) attempt(`follow /proc/1/${name}`, () => readlinkSync(`/proc/1/${name}`));
attempt('list /proc/1/fd', () => readdirSync('/proc/1/fd'));
attempt('list /proc/1/root', () => readdirSync('/proc/1/root/'));
attempt('read the program of the driver', () => readFileSync('/proc/1/root/assay'));
for (const name of ['mem', 'fd/0', 'fd/1', 'oom_score_adj', 'clear_refs', 'comm']) {
  attempt(`write /proc/1/${name}`, () => writeSync(openSync(`/proc/1/${name}`, 'w'), '0'));
}
