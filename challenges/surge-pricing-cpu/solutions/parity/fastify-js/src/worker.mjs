// Bytes of a body in; { table } or, if the body is not valid, { invalid } out.
import { parentPort } from 'node:worker_threads';

import { InvalidRebuild, calculate } from './calculate.mjs';

parentPort.on('message', (bytes) => {
  try {
    const table = calculate(bytes);
    parentPort.postMessage({ table }, [table.ids.buffer, table.multipliers.buffer]);
  } catch (error) {
    if (!(error instanceof InvalidRebuild)) throw error; // ends this thread; the pool starts another
    parentPort.postMessage({ invalid: error.message });
  }
});
