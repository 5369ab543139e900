import { spawn } from 'node:child_process';

import { attempt } from './attempt.mjs';

// Node asks for its children in the event loop, which does not get its turn.
attempt('1000 children that have ended', () => {
  for (let i = 0; i < 1000; i++) {
    const child = spawn('./tool', ['exit'], { stdio: 'ignore' });
    child.on('error', () => {});
    if (child.pid === undefined) throw new Error(`no room after ${i}`);
  }
});
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
process.reallyExit(0);
