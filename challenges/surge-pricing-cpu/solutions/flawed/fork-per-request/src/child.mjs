// Bytes of a body in; { table } or, if the body is not valid, { invalid } out.
import { InvalidRebuild, calculate } from './calculate.mjs';

process.on('message', (bytes) => {
  try {
    process.send({ table: calculate(bytes) });
  } catch (error) {
    if (!(error instanceof InvalidRebuild)) throw error;
    process.send({ invalid: error.message });
  }
});
