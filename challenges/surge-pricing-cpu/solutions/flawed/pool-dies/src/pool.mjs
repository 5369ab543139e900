import { Worker } from 'node:worker_threads';

/** Two workers and a queue. Whoever calls run() sees to it that the queue stays short. */
export class Pool {
  #idle = [];
  #queue = [];

  constructor() {
    this.#start();
    this.#start();
  }

  /** Takes the bytes away from the caller. Resolves to what the worker answers; rejects if it dies. */
  run(bytes) {
    return new Promise((resolve, reject) => {
      this.#queue.push({ bytes, resolve, reject });
      this.#next();
    });
  }

  #next() {
    if (this.#queue.length === 0 || this.#idle.length === 0) return;
    const worker = this.#idle.pop();
    worker.job = this.#queue.shift();
    worker.thread.postMessage(worker.job.bytes, [worker.job.bytes.buffer]);
  }

  #start() {
    const worker = { thread: new Worker(new URL('./worker.mjs', import.meta.url)), job: undefined };
    worker.thread.on('message', (answer) => {
      worker.job.resolve(answer);
      worker.job = undefined;
      this.#idle.push(worker);
      this.#next();
    });
    // The fault: an error in a worker is the end of it, and nobody takes its place. With the second one the pool is empty, and
    // what is in the queue stays there.
    worker.thread.on('error', (error) => worker.job.reject(error));
    this.#idle.push(worker);
    this.#next();
  }
}
