import { Worker } from 'node:worker_threads';

export type Table = { ids: Int32Array; multipliers: Int32Array; checksum: string };
export type Answer = { table: Table; invalid?: undefined } | { table?: undefined; invalid: string };

type Job = { bytes: Uint8Array<ArrayBuffer>; resolve: (answer: Answer) => void; reject: (error: Error) => void };
type PoolWorker = { thread: Worker; job: Job | undefined };

/** Two workers and a queue. Whoever calls run() sees to it that the queue stays short. */
export class Pool {
  #idle: PoolWorker[] = [];
  #queue: Job[] = [];

  constructor() {
    this.#start();
    this.#start();
  }

  /** Takes the bytes away from the caller. Resolves to what the worker answers; rejects if it dies. */
  run(bytes: Uint8Array<ArrayBuffer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ bytes, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#queue.length === 0 || this.#idle.length === 0) return;
    const worker = this.#idle.pop()!;
    const job = this.#queue.shift()!;
    worker.job = job;
    worker.thread.postMessage(job.bytes, [job.bytes.buffer]);
  }

  #start(): void {
    const worker: PoolWorker = { thread: new Worker(new URL('./worker.mjs', import.meta.url)), job: undefined };
    worker.thread.on('message', (answer: Answer) => {
      worker.job?.resolve(answer);
      worker.job = undefined;
      this.#idle.push(worker);
      this.#next();
    });
    worker.thread.on('error', (error: Error) => {
      console.error(error);
      worker.job?.reject(error);
      this.#idle = this.#idle.filter((other) => other !== worker);
      this.#start();
    });
    this.#idle.push(worker);
    this.#next();
  }
}
