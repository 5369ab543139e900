import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { in: { type: 'string' }, out: { type: 'string' } } });
const lines = readFileSync(values.in, 'utf8').split('\n').slice(1);

// Your turn: add up the amounts of each city.
writeFileSync(values.out, JSON.stringify({ lines: lines.length }));
