import { fork } from 'node:child_process';

/** One child process and a queue. Whoever calls run() sees to it that the queue stays short. */
export class Pool {
  #queue = [];
  #child;
  #job;

  constructor() {
    this.#start();
  }

  /** Resolves to what the child answers; rejects if it dies. */
  run(bytes) {
    return new Promise((resolve, reject) => {
      this.#queue.push({ bytes, resolve, reject });
      this.#next();
    });
  }

  #next() {
    if (this.#queue.length === 0 || this.#job !== undefined) return;
    this.#job = this.#queue.shift();
    this.#child.send(this.#job.bytes);
  }

  // The trick: the reference in another process, so that this one has not a single thread more.
  #start() {
    this.#child = fork(new URL('./child.mjs', import.meta.url), { serialization: 'advanced' });
    this.#child.on('message', (answer) => {
      this.#job.resolve(answer);
      this.#job = undefined;
      this.#next();
    });
    this.#child.on('exit', (code, signal) => {
      this.#job?.reject(new Error(`The child ended with ${code ?? signal}`));
      this.#job = undefined;
      this.#start();
      this.#next();
    });
  }
}
