// A rebuild from bytes to table, in steps of well under a millisecond.

import { readCells } from './cells.ts';
import { sortSteps } from './radix.ts';
import { BadInput } from './input.ts';
import type { Steps } from './slicer.ts';

const CELLS_PER_STEP = 50_000; // about 0.2 ms

export type Rebuilt = { ids: Uint32Array; multipliers: Uint16Array; checksum: string };

export function* rebuildSteps(body: Buffer): Steps<Rebuilt> {
  const { cells, iterations } = yield* readCells(body);
  yield;
  const { ids, order } = yield* sortSteps(cells.ids);
  yield;

  const targets = new Int32Array(ids.length);
  for (let i = 0; i < ids.length; i++) {
    if (i > 0 && ids[i] === ids[i - 1]) throw new BadInput(`Cell ${ids[i]} is there twice`);
    targets[i] = cells.targets[order[i]!]!;
  }
  yield;

  const smoothed = yield* smooth(targets, iterations);
  const checksum = yield* checksumSteps(smoothed);
  return { ids, multipliers: Uint16Array.from(smoothed), checksum };
}

function* smooth(targets: Int32Array, iterations: number): Steps<Int32Array> {
  const n = targets.length;
  const values = targets.slice();
  // The ring twice in a row: with an offset below n every target of a round is at i + offset.
  const ring = new Int32Array(2 * n);
  ring.set(targets);
  ring.set(targets, n);
  let offset = 0;
  let untilYield = CELLS_PER_STEP;
  for (let j = 1; j <= iterations; j++) {
    offset = offset + 1 === n ? 0 : offset + 1;
    // Never cut: 250,000 cells take less than a millisecond.
    round(values, ring, offset);
    untilYield -= n + 20; // 20: a round costs something even on a ring of one cell
    if (untilYield <= 0) {
      untilYield = CELLS_PER_STEP;
      yield;
    }
  }
  return values;
}

// One iteration, in place. A function of its own, because the compiler does better with it than with a loop in a generator.
function round(values: Int32Array, ring: Int32Array, offset: number): void {
  const last = values.length - 1;
  const first = values[0]!;
  let left = values[last]!;
  let middle = first;
  for (let i = 0; i < last; i++) {
    const right = values[i + 1]!;
    values[i] = (left + 2 * middle + right + 4 * ring[i + offset]!) >> 3;
    left = middle;
    middle = right;
  }
  values[last] = (left + 2 * middle + first + 4 * ring[last + offset]!) >> 3;
}

function* checksumSteps(values: Int32Array): Steps<string> {
  let hash = 0x811c9dc5;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((value >>> shift) & 0xff), 0x01000193);
    if (i % CELLS_PER_STEP === 0) yield;
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
