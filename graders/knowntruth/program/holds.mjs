// Ways of holding a known amount of memory for a known time. Each is prepared (threads and processes start), then there is a time
// of rest that shows what the program needs anyway, then the memory is taken and every page of it touched.
import { fork } from 'node:child_process';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { Worker } from 'node:worker_threads';

import { now, sleepers } from './blocks.mjs';

const QUIET_MS = 700; // before the baseline is looked at, and
const BASELINE_MS = 500; // for how long

const helper = fileURLToPath(new URL('./helper.mjs', import.meta.url));
const DOUBLES = 131_072; // in an array of 1 MiB

// Each maker returns take(bytes), which returns how to give the memory back.
const makers = {
  buffer: () => (bytes) => {
    const kept = Buffer.alloc(bytes, 1);
    return () => kept.length;
  },
  heap: () => {
    // A copy of an array of doubles is made in one piece of the heap, without garbage.
    const template = Array.from({ length: DOUBLES }, (_, i) => i + 0.5);
    return (bytes) => {
      const kept = [];
      for (let have = 0; have < bytes; have += DOUBLES * 8) kept.push(template.slice(0, Math.min(DOUBLES, (bytes - have) / 8)));
      return () => kept.length;
    };
  },
  shared: () => (bytes) => {
    const kept = new Uint8Array(new SharedArrayBuffer(bytes)).fill(1);
    return () => kept.length;
  },
  tmpfs: () => {
    const name = join(tmpdir(), `known-${process.pid}`);
    const piece = Buffer.alloc(1 << 20, 1);
    return (bytes) => {
      const file = openSync(name, 'w');
      for (let have = 0; have < bytes; ) have += writeSync(file, piece, 0, Math.min(piece.length, bytes - have));
      closeSync(file);
      return () => unlinkSync(name);
    };
  },
  async child() {
    const child = fork(helper, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    await answer(child);
    return async (bytes) => {
      child.send(bytes);
      await answer(child);
      return () => child.kill('SIGKILL');
    };
  },
  async worker() {
    const worker = new Worker(helper);
    await answer(worker);
    return async (bytes) => {
      worker.postMessage(bytes);
      await answer(worker);
      return () => worker.terminate();
    };
  },
  // A spike is taken, held and given back in one turn of the loop; a buffer would be given back when the collector likes.
  spike: () => {
    let memory;
    return (bytes) => {
      memory ??= new ArrayBuffer(0, { maxByteLength: bytes });
      memory.resize(bytes);
      new Uint8Array(memory).fill(1);
      return () => memory.resize(0);
    };
  },
};

// heapPages is what V8 itself says that its heap has in memory: its pages hold more than what was asked for.
const heapPages = () => getHeapStatistics().total_physical_size;

const answer = (peer) => new Promise((resolve) => peer.once('message', resolve));

export async function hold(how, bytes, ms) {
  const take = await makers[how]();
  globalThis.gc?.();
  await sleep(QUIET_MS);
  const baseFrom = now();
  await sleep(BASELINE_MS);
  const baseTo = now();
  const pages = heapPages();
  const began = now();
  let giveBack = take(bytes);
  if (how !== 'spike') giveBack = await giveBack;
  const heapGrown = heapPages() - pages;
  const from = now();
  if (how === 'spike') Atomics.wait(sleepers, 0, 0, ms); // looking at the clock all the time would make garbage
  else await sleep(ms);
  const to = now();
  await giveBack();
  await sleep(100);
  return { baseFrom, baseTo, began, from, to, heapGrown };
}
