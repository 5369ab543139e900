// What submissions run after a hostile build: was anything of it done?
import { existsSync, lstatSync } from 'node:fs';

import { attempt } from './attempt.mjs';

attempt('have had scripts run', () => {
  if (!existsSync('hooked')) throw new Error('NO');
});
attempt('be run by another node', () => {
  if (process.execPath === '/usr/local/bin/node' && process.release.name === 'node') throw new Error('NO');
});
attempt('find a probe of its own making', () => {
  if (lstatSync('../probe.mjs').uid === 0) throw new Error('NO');
});
