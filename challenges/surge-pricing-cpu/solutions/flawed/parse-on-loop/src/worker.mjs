// A rebuild in, the finished table out.
import { parentPort } from 'node:worker_threads';

import { calculate } from './calculate.mjs';

parentPort.on('message', (rebuild) => {
  const table = calculate(rebuild);
  parentPort.postMessage(table, [table.ids.buffer, table.multipliers.buffer]);
});
