// A rebuild in, the finished table out, or what is wrong with it.
import { parentPort } from 'node:worker_threads';

import { InvalidRebuild, calculate } from './calculate.mjs';

parentPort.on('message', (rebuild) => {
  try {
    const table = calculate(rebuild);
    parentPort.postMessage({ table }, [table.ids.buffer, table.multipliers.buffer]);
  } catch (error) {
    if (!(error instanceof InvalidRebuild)) throw error;
    parentPort.postMessage({ invalid: error.message });
  }
});
