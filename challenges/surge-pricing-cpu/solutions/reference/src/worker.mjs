// One rebuild after the other: bytes of a body in, a finished table out, everything in between on this thread.

import { parentPort } from 'node:worker_threads';

import { checksumOf } from './checksum.mjs';
import { InvalidRebuild, parseRebuild } from './rebuild.mjs';
import { smooth } from './smoothing.mjs';

parentPort.on('message', (body) => {
  let rebuild;
  try {
    rebuild = parseRebuild(body);
  } catch (error) {
    // Anything else is a fault of ours and ends this thread; the pool starts another.
    if (!(error instanceof InvalidRebuild)) throw error;
    parentPort.postMessage({ problem: error.message });
    return;
  }
  const { ids, targets, iterations } = rebuild;
  const multipliers = smooth(targets, iterations);
  parentPort.postMessage({ result: { ids, multipliers, checksum: checksumOf(multipliers) } }, [
    ids.buffer,
    multipliers.buffer,
  ]);
});
