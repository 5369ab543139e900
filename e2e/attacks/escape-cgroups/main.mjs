import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, statSync } from 'node:fs';

import { attempt } from './attempt.mjs';

// The ids of one's own pod, of which there are two: the driver and the submission.
const id = /[0-9a-f]{64}/g;
const own = new Set([...readFileSync('/proc/self/cgroup', 'latin1').matchAll(id), ...readFileSync('/proc/1/cgroup', 'latin1').matchAll(id)].map(([text]) => text));
console.log(`note knows ${own.size} groups`);
let left = 4000;

function walk(dir, depth) {
  let entries = [];
  try {
    entries = readdirSync(dir, { withFileTypes: true });
  } catch {
    return;
  }
  if (depth < 3) attempt(`make ${dir}/x`, () => mkdirSync(`${dir}/x`));
  for (const entry of entries) {
    if (left-- < 0) return;
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory()) {
      for (const [other] of path.matchAll(id)) if (!own.has(other)) console.log(`SUCCEEDED seeing another container: ${path}`);
      walk(path, depth + 1);
    } else if (entry.isFile()) {
      attempt(`open ${path} for writing`, () => closeSync(openSync(path, 'r+')));
    }
  }
}

walk('/sys/fs/cgroup', 0);
walk('/proc/1/root/sys/fs/cgroup', 0);
attempt('make a group', () => mkdirSync('/sys/fs/cgroup/x'));
for (const path of ['/proc/self/oom_score_adj', '/proc/1/oom_score_adj']) {
  // One's own may be raised, never lowered.
  attempt(`find ${path} lowered`, () => {
    if (Number(readFileSync(path, 'latin1')) < (path.includes('self') ? 500 : 0)) return;
    throw new Error('NO');
  });
}
for (const controller of ['memory', 'cpu', 'pids', 'devices', 'freezer', 'unified', 'systemd']) {
  attempt(`own /sys/fs/cgroup/${controller}`, () => {
    if (statSync(`/sys/fs/cgroup/${controller}`).uid !== process.getuid()) throw new Error('NOT OURS');
  });
}
