import { spawn } from 'node:child_process';

// Quickly to far more than is read of a result, then slowly, so that it still grows when this process has ended.
const grow = `
  const { appendFileSync } = require('node:fs');
  const some = 'a'.repeat(4096);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const end = Date.now() + 30_000;
  for (let i = 0; Date.now() < end; i++) {
    try {
      appendFileSync('/out/result.json', some);
    } catch {
      // It is full.
    }
    if (i > 10_000) Atomics.wait(pause, 0, 0, 1);
  }`;
spawn(process.execPath, ['-e', grow], { detached: true, stdio: 'ignore' }).unref();
setTimeout(() => process.exit(0), 1500);
