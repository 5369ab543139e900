import { spawn } from 'node:child_process';

const daemon = "require('child_process').spawn(process.execPath, ['-e', 'process.title = \"assay-attack-daemon\"; setInterval(() => {}, 1000)'], " +
  "{ detached: true, stdio: 'ignore', env: {} }).unref()";
spawn(process.execPath, ['-e', daemon], { detached: true, stdio: 'ignore', env: {} }).unref();
setTimeout(() => process.exit(0), 800);
