import { closeSync, openSync, readSync, readdirSync, writeSync } from 'node:fs';

import { attempt } from './attempt.mjs';

const WRITE = [
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/modprobe',
  '/proc/sys/vm/overcommit_memory',
  '/proc/sysrq-trigger',
  '/proc/1/oom_score_adj',
  '/sys/kernel/uevent_helper',
  '/sys/kernel/mm/transparent_hugepage/enabled',
  '/sys/fs/cgroup/cgroup.procs',
  '/sys/fs/cgroup/release_agent',
];
for (const path of WRITE) attempt(`write ${path}`, () => writeSync(openSync(path, 'w'), '|/tmp/x'));

const READ = ['/proc/kcore', '/proc/kmsg', '/dev/mem', '/dev/kmsg', '/dev/sda', '/dev/vda', '/proc/sched_debug'];
for (const path of READ) {
  attempt(`read ${path}`, () => {
    const file = openSync(path, 'r');
    const some = Buffer.alloc(64);
    const n = readSync(file, some);
    closeSync(file);
    if (n === 0) throw new Error('EMPTY');
  });
}

// Any cgroup file that can be written at all, two levels deep.
for (const dir of list('/sys/fs/cgroup')) {
  for (const name of ['cgroup.procs', 'release_agent', 'notify_on_release', 'tasks']) {
    attempt(`write ${dir}/${name}`, () => writeSync(openSync(`${dir}/${name}`, 'w'), '1'));
  }
}

function list(dir) {
  try {
    return readdirSync(dir, { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => `${dir}/${e.name}`);
  } catch {
    return [];
  }
}
