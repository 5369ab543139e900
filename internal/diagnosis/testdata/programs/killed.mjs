// It is ended from outside in the middle of its work, as by the kernel when memory runs out.
import { spawn } from 'node:child_process';

spawn('sh', ['-c', `sleep 2; kill -9 ${process.pid}`], { stdio: 'ignore' });
setTimeout(() => {
  const until = Date.now() + 10_000;
  let total = 0;
  while (Date.now() < until) total += Math.sqrt(total + 1); // BLAME
}, 100);
