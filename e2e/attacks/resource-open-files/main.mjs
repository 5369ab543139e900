import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { openSync } from 'node:fs';

import { attempt } from './attempt.mjs';

const children = [];
if (process.argv[2] === undefined) {
  for (let i = 0; i < 3; i++) {
    children.push(new Promise((resolve) => spawn(process.execPath, ['main.mjs', 'child'], { stdio: ['ignore', 'inherit', 'inherit'] }).on('exit', resolve)));
  }
}
for (let i = 0; i < 300; i++) createServer().on('error', () => {}).listen(0, '127.0.0.1');
await new Promise((resolve) => setTimeout(resolve, 300));
attempt('open 100,000 files', () => {
  for (let i = 0; i < 100_000; i++) openSync(i % 2 === 0 ? '/dev/null' : '/proc/self/status');
});
await Promise.all(children);
process.exit(0);
