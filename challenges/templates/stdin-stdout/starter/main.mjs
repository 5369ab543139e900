import { readFileSync } from 'node:fs';

const numbers = readFileSync(0, 'utf8').split('\n').filter(Boolean).map(Number);

// Your turn: print the sum of the two largest.
console.log(numbers[0]);
