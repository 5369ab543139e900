import { spawn } from 'node:child_process';

const grow = `
  const { appendFileSync } = require('node:fs');
  const some = 'a'.repeat(4096);
  const end = Date.now() + 30_000;
  while (Date.now() < end) {
    try {
      appendFileSync('/out/result.json', some);
    } catch {
      // It is full.
    }
  }`;
spawn(process.execPath, ['-e', grow], { detached: true, stdio: 'ignore' }).unref();
setTimeout(() => process.exit(0), 1500);
