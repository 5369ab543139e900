import { constants } from 'node:os';
import { readdirSync } from 'node:fs';

import { attempt } from './attempt.mjs';

const seen = readdirSync('/proc').map(Number).filter((pid) => pid > 0 && pid !== process.pid);
console.log(`note sees ${seen.length} other processes`);
for (const signal of Object.values(constants.signals)) attempt(`signal ${signal} to 1`, () => process.kill(1, signal));
for (const pid of seen.filter((pid) => pid !== 1)) attempt(`SIGKILL to ${pid}`, () => process.kill(pid, 'SIGKILL'));
