// Many lines are worked on in one loop that never gives way; no single function takes most of the time.
import { closeSync, openSync, readSync } from 'node:fs';

const chunk = Buffer.alloc(64 * 1024);

function parse(text) {
  return text.split(',').map(Number);
}

function add(totals, values) {
  for (const v of values) totals.set(v % 100, (totals.get(v % 100) ?? 0) + 1);
}

function summarise(until) {
  const file = openSync(process.execPath);
  const totals = new Map();
  while (Date.now() < until) {
    readSync(file, chunk, 0, chunk.length, 0);
    add(totals, parse('1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20'.repeat(20))); // BLAME
  }
  closeSync(file);
  return totals;
}

setTimeout(() => console.log(summarise(Date.now() + 800).size), 100);
