// The links lead to what the container of the run has there, and to nothing else.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';

import { attempt } from './attempt.mjs';

attempt('read passwords', () => readFileSync('node_modules/etc/shadow'));
attempt('write into it', () => writeFileSync('node_modules/etc/x', ''));
attempt('list the home of root', () => readdirSync('node_modules/root'));
attempt('find the machine', () => {
  if (!readFileSync('node_modules/etc/hostname', 'latin1').startsWith('candidate')) return;
  throw new Error('NOT THERE');
});
