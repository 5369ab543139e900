import { spawn } from 'node:child_process';

spawn('./tool', ['swap', '/out'], { detached: true, stdio: 'ignore' }).unref();
setTimeout(() => process.exit(0), 2000);
