import { readFileSync } from 'node:fs';

let first = 0;
let second = 0;
for (const line of readFileSync(0, 'utf8').split('\n')) {
  const number = Number(line);
  if (number > first) [first, second] = [number, first];
  else if (number > second) second = number;
}
console.log(first + second);
