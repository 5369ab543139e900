// An ordinary submission, which looks whether it is alone.
import { readFileSync, readdirSync } from 'node:fs';

const others = readdirSync('/proc').map(Number).filter((pid) => pid > 1 && pid !== process.pid);
const found = [
  ...readdirSync('/tmp'),
  ...readdirSync('/out'),
  ...others.map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1')),
];
console.log(found.length === 0 ? 'note alone' : `note ${found}`);
