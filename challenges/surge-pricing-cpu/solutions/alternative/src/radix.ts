// Sorting in steps. The built-in sort of 250,000 ids would hold the loop for longer than a slice.

import type { Steps } from './slicer.ts';

const BITS = 11; // three passes for 31 bits
const BUCKETS = 1 << BITS;

/** The ids in ascending order, and for each the index that it had. A radix sort, least significant digit first. */
export function* sortSteps(unsorted: Uint32Array): Steps<{ ids: Uint32Array; order: Uint32Array }> {
  const n = unsorted.length;
  let ids = unsorted.slice();
  let order = Uint32Array.from(ids.keys());
  let otherIds = new Uint32Array(n);
  let otherOrder = new Uint32Array(n);
  yield;

  for (let shift = 0; shift < 31; shift += BITS) {
    const starts = new Uint32Array(BUCKETS + 1);
    for (let i = 0; i < n; i++) starts[((ids[i]! >>> shift) & (BUCKETS - 1)) + 1]! += 1;
    for (let b = 0; b < BUCKETS; b++) starts[b + 1]! += starts[b]!;
    yield;

    for (let i = 0; i < n; i++) {
      const id = ids[i]!;
      const to = starts[(id >>> shift) & (BUCKETS - 1)]!++;
      otherIds[to] = id;
      otherOrder[to] = order[i]!;
    }
    [ids, otherIds] = [otherIds, ids];
    [order, otherOrder] = [otherOrder, order];
    yield;
  }
  return { ids, order };
}
