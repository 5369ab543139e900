import { Worker } from 'node:worker_threads';

for (let i = 0; i < 2000; i++) {
  try {
    new Worker('setInterval(() => {}, 1000)', { eval: true }).on('error', () => {});
  } catch {
    break;
  }
}
setTimeout(() => process.exit(0), 3000);
