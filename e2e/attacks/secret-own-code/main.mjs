import { appendFileSync, chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';

import { attempt } from './attempt.mjs';

attempt('write beside the code', () => writeFileSync('new.mjs', ''));
attempt('change the code', () => appendFileSync('main.mjs', '// changed'));
attempt('change the probe', () => appendFileSync('../probe.mjs', '// changed'));
attempt('remove the probe', () => rmSync('../probe.mjs'));
attempt('replace node', () => renameSync(process.execPath, '/usr/local/bin/node.old'));
attempt('make node writable', () => chmodSync(process.execPath, 0o777));
attempt('write to /', () => writeFileSync('/x', ''));
attempt('write to /etc', () => appendFileSync('/etc/hosts', '127.0.0.1 x'));
attempt('write to /data', () => writeFileSync('/data/x', ''));
