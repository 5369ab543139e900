// Neither the program nor its children and workers can tell by the environment that they are looked at.
import { spawnSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';

const look = 'console.log(process.env.ASSAY_DIAGNOSE_PORT)';
console.log(process.env.ASSAY_DIAGNOSE_PORT);
process.stdout.write(spawnSync(process.execPath, ['-e', look], { encoding: 'utf8' }).stdout);
new Worker(look, { eval: true });
