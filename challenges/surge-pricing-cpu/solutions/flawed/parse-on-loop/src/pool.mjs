import { Worker } from 'node:worker_threads';

/** Two workers and a queue. Whoever calls run() sees to it that the queue stays short. */
export class Pool {
  #idle = [];
  #queue = [];

  constructor() {
    this.#start();
    this.#start();
  }

  /** Resolves to what the worker answers; rejects if it dies. */
  run(rebuild) {
    return new Promise((resolve, reject) => {
      this.#queue.push({ rebuild, resolve, reject });
      this.#next();
    });
  }

  #next() {
    if (this.#queue.length === 0 || this.#idle.length === 0) return;
    const worker = this.#idle.pop();
    worker.job = this.#queue.shift();
    worker.thread.postMessage(worker.job.rebuild, [worker.job.rebuild.numbers.buffer]);
  }

  #start() {
    const worker = { thread: new Worker(new URL('./worker.mjs', import.meta.url)), job: undefined };
    worker.thread.on('message', (answer) => {
      worker.job.resolve(answer);
      worker.job = undefined;
      this.#idle.push(worker);
      this.#next();
    });
    worker.thread.on('error', (error) => {
      console.error(error);
      worker.job?.reject(error);
      this.#idle = this.#idle.filter((other) => other !== worker);
      this.#start();
    });
    this.#idle.push(worker);
    this.#next();
  }
}
