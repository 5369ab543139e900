// An installed package computes.
import { busy } from 'busy';

function answer() {
  const result = busy(Date.now() + 400); // BLAME
  return result;
}

setTimeout(answer, 100);
