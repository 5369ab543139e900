import { truncateSync, writeFileSync } from 'node:fs';

import { attempt } from './attempt.mjs';

writeFileSync('/out/result.json', 'x');
attempt('a file of 1 TB', () => truncateSync('/out/result.json', 1e12));
const some = Buffer.alloc(1 << 20, 'x');
try {
  for (let i = 0; i < 2000; i++) writeFileSync('/out/result.json', some, { flag: 'a' });
} catch (error) {
  console.log(`note full: ${error.code}`);
}
