import { readFileSync, readdirSync, statSync } from 'node:fs';

import { attempt } from './attempt.mjs';

const READ = ['/etc/shadow', '/root/.ssh/id_rsa', '/run/secrets', '/var/run/secrets', '/proc/keys', '/.dockerenv.d', '/assay', '/home', '/root', '/var/lib/docker'];
for (const path of READ) {
  attempt(`read ${path}`, () => {
    const found = statSync(path).isDirectory() ? readdirSync(path) : readFileSync(path, 'latin1');
    // Names of what is one's own are no secret.
    const foreign = Array.isArray(found) ? found.filter((name) => !['app', 'probe.mjs', 'diagnose.mjs'].includes(name)) : found;
    if (foreign.length === 0) throw new Error('EMPTY');
    console.log(`note ${path}: ${String(foreign).slice(0, 200)}`);
  });
}
for (const dir of ['/tmp', '/out', '/dev/shm']) {
  attempt(`find something in ${dir}`, () => {
    const found = readdirSync(dir);
    if (found.length === 0) throw new Error('EMPTY');
    console.log(`note ${dir}: ${found}`);
  });
}
const names = Object.keys(process.env).filter((name) => !['PATH', 'HOME', 'HOSTNAME', 'LANG', 'TZ', 'CANARY_HOSTS', 'CANARY_PORT', 'NODE_OPTIONS', 'ASSAY_PROBE_PORT'].includes(name));
attempt('find something in the environment', () => {
  if (names.length === 0) throw new Error('EMPTY');
  console.log(`note ${names}`);
});
