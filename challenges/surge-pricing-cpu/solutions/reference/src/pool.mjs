// A fixed number of worker threads, a bounded number of rebuilds that wait for them, and no room for more.

import { Worker } from 'node:worker_threads';

import { Problem } from './http.mjs';

const WORKER = new URL('./worker.mjs', import.meta.url);

/**
 * @typedef {object} Result
 * @property {Int32Array} ids ascending
 * @property {Int32Array} multipliers
 * @property {string} checksum
 */

export class RebuildPool {
  #size;
  #freePlaces;
  /** @type {Set<Worker>} */
  #workers = new Set();
  /** @type {Worker[]} */
  #idle = [];
  /** @type {Map<Worker, Job>} */
  #running = new Map();
  /** @type {Job[]} */
  #queue = [];

  /** @param {{ workers: number, waiting: number }} bounds how many rebuilds run and how many wait */
  constructor({ workers, waiting }) {
    this.#size = workers;
    this.#freePlaces = workers + waiting;
    // Now, so that the first rebuild does not wait for threads to start.
    for (let i = 0; i < workers; i++) this.#start();
  }

  /**
   * A place for one rebuild, from the arrival of its body to its end; undefined when all are taken.
   *
   * run() may be called once. release() must be called in any case.
   *
   * @returns {{ run: (body: Uint8Array) => Promise<Result>, release: () => void } | undefined}
   */
  reserve() {
    if (this.#freePlaces === 0) return undefined;
    this.#freePlaces -= 1;
    return {
      run: (body) => this.#run(body),
      release: () => {
        this.#freePlaces += 1;
      },
    };
  }

  #run(body) {
    return new Promise((resolve, reject) => {
      this.#queue.push({ body, resolve, reject });
      this.#dispatch();
    });
  }

  #dispatch() {
    while (this.#queue.length > 0) {
      // A worker that died is replaced when it is missed. Replacing it at once would go round in circles if workers
      // could not start at all.
      if (this.#idle.length === 0 && this.#workers.size < this.#size) this.#start();
      const worker = this.#idle.pop();
      if (worker === undefined) return;
      const job = this.#queue.shift();
      this.#running.set(worker, job);
      // Transferred, not copied: the bytes change hands, whatever their number.
      worker.postMessage(job.body, [job.body.buffer]);
    }
  }

  #start() {
    const worker = new Worker(WORKER);
    this.#workers.add(worker);
    this.#idle.push(worker);

    let reason;
    worker.on('message', ({ problem, result }) => {
      const job = this.#running.get(worker);
      this.#running.delete(worker);
      this.#idle.push(worker);
      // Settled first: a table takes effect before the next rebuild begins.
      if (problem === undefined) job.resolve(result);
      else job.reject(new Problem(400, problem));
      this.#dispatch();
    });
    worker.on('error', (error) => {
      reason = error;
    });
    worker.on('exit', (code) => {
      const job = this.#running.get(worker);
      this.#running.delete(worker);
      this.#workers.delete(worker);
      this.#idle = this.#idle.filter((other) => other !== worker);
      job?.reject(new Error(`A worker ended with code ${code}`, { cause: reason }));
      this.#dispatch();
    });
  }
}

/**
 * @typedef {object} Job
 * @property {Uint8Array} body
 * @property {(result: Result) => void} resolve
 * @property {(reason: Error) => void} reject
 */
