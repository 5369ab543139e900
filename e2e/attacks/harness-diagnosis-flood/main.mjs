import { createConnection } from 'node:net';
import { readdirSync, readlinkSync, writeSync } from 'node:fs';

import { attemptLater } from './attempt.mjs';

await attemptLater('a second connection', () => new Promise((resolve, reject) => {
  createConnection(Number(process.env.ASSAY_DIAGNOSE_PORT), '127.0.0.1').on('connect', resolve).on('error', reject);
}));
// It starts with a well-formed beginning of 16 MB less one byte, so that the reader waits for more.
const head = Buffer.from([0x00, 0xff, 0xff, 0xff]);
const huge = Buffer.from([0xff, 0xff, 0xff, 0xff]);
const some = Buffer.alloc(1 << 20, '{"');
let written = 0;
for (const fd of readdirSync('/proc/self/fd').map(Number)) {
  try {
    if (!readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')) continue;
    writeSync(fd, head);
    for (let i = 0; i < 200; i++) written += writeSync(fd, i % 10 === 0 ? huge : some);
  } catch (error) {
    console.log(`note ${fd}: ${error.code}`);
  }
}
console.log(`note ${written} bytes written`);
process.exit(0);
