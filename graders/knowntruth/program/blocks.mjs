// Ways of keeping the event loop from going on for a known time. Each returns when that began and ended, by the clock, and
// the longest time in between in which the loop did not turn: all of it, unless the work gave the loop back.
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const SLICE_MS = 5;

export const now = () => Number(process.hrtime.bigint());

function spin(until) {
  while (now() < until);
}

// sync makes a block of work that is one call.
function sync(work) {
  return (ms) => {
    const from = now();
    work(from + ms * 1e6);
    const to = now();
    return { from, to, longest: to - from };
  };
}

// unbroken makes a block of slices between which the loop does not turn.
function unbroken(next) {
  return async (ms) => {
    const { from, to } = await sliced(next, ms);
    return { from, to, longest: to - from };
  };
}

function sliced(next, ms) {
  return new Promise((resolve) => {
    const from = now();
    const until = from + ms * 1e6;
    let longest = 0;
    const slice = () => {
      const began = now();
      spin(Math.min(began + SLICE_MS * 1e6, until));
      const to = now();
      longest = Math.max(longest, to - began);
      if (to < until) next(slice);
      else resolve({ from, to, longest });
    };
    slice();
  });
}

const piece = Buffer.alloc(256 << 10, 7);

// fileWork reads and writes a file with synchronous calls.
function fileWork(until) {
  const name = join(tmpdir(), `known-io-${process.pid}`);
  const file = openSync(name, 'w+');
  while (now() < until) {
    writeSync(file, piece, 0, piece.length, 0);
    readSync(file, piece, 0, piece.length, 0);
  }
  closeSync(file);
  unlinkSync(name);
}

// sleepers are what Atomics.wait sleeps on: the thread does not run, as in a synchronous call that waits for a device.
export const sleepers = new Int32Array(new SharedArrayBuffer(4));

let live; // what the collector has to walk through, again and again

function garbage(until) {
  let kept;
  while (now() < until) kept = Array.from({ length: 2000 }, (_, i) => ({ i, kept: live[i] }));
  return kept;
}

const churn = sync(garbage);

export const blocks = {
  cpu: sync(spin),
  io: sync(fileWork),
  wait: sync((until) => Atomics.wait(sleepers, 0, 0, (until - now()) / 1e6)),
  nextTick: unbroken((slice) => process.nextTick(slice)),
  microtask: unbroken((slice) => queueMicrotask(slice)),
  gc(ms) {
    live ??= Array.from({ length: 200_000 }, (_, i) => ({ i, text: `live ${i}` }));
    return churn(ms);
  },
  setImmediate: (ms) => sliced((slice) => setImmediate(slice), ms),
};
