import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

const take = 'const all = []; setInterval(() => all.push(Buffer.alloc(8 << 20, 1)), 5);';
if (process.argv[2] === undefined) {
  for (const path of ['/tmp/fill', '/dev/shm/fill']) {
    try {
      for (let i = 0; i < 64; i++) writeFileSync(path, Buffer.alloc(1 << 20, 1), { flag: 'a' });
    } catch {
      // It is full, and what is in it counts.
    }
  }
  new Worker(take, { eval: true }).on('error', () => {});
  spawn(process.execPath, ['-e', take], { stdio: 'ignore' });
  setInterval(() => {}, 1000);
}
