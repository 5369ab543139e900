import { createInterface } from 'node:readline';

let first = -Infinity;
let second = -Infinity;
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === '') continue;
  const number = Number(line);
  if (number > first) [first, second] = [number, first];
  else if (number > second) second = number;
}
console.log(second === -Infinity ? first : first + second);
