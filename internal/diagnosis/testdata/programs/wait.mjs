// Nothing is wrong here but what it waits for.
import { setTimeout as sleep } from 'node:timers/promises';

for (let i = 0; i < 10; i++) await sleep(50);
