// Everything that was seen is kept.
import { setTimeout as sleep } from 'node:timers/promises';

const seen = [];

function keep(n) { // BLAME
  for (let i = 0; i < n; i++) seen.push({ at: i, name: `request ${i}`, tags: [i, i + 1] });
}

for (let round = 0; round < 30; round++) {
  keep(2000);
  await sleep(20);
}
