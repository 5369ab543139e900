import { writeFileSync } from 'node:fs';

import { active } from './active.mjs';

for (const text of active) {
  console.log(text);
  console.error(text);
}
writeFileSync('/out/result.json', JSON.stringify(active));
