// Runs long calculations on the event loop without being felt.

/** A calculation that yields often: more than once a millisecond. What it yields does not matter. */
export type Steps<T> = Generator<unknown, T, unknown>;

type Job = {
  steps: Steps<unknown>;
  resolve: (value: unknown) => void;
  reject: (reason: unknown) => void;
};

/**
 * A number of jobs run, in turns, and a number wait. In one turn of the event loop one job gets one slice; between two
 * slices everything that has arrived meanwhile is answered. So nobody waits much longer than a slice, however many jobs run.
 */
export class Slicer {
  readonly #limit: number;
  readonly #places: number;
  readonly #sliceMs: number;
  readonly #running: Job[] = [];
  readonly #waiting: Job[] = [];
  #taken = 0;
  #scheduled = false;

  constructor(bounds: { running: number; waiting: number; sliceMs: number }) {
    this.#limit = bounds.running;
    this.#places = bounds.running + bounds.waiting;
    this.#sliceMs = bounds.sliceMs;
  }

  /** Takes one of the places for as long as `work` lasts; undefined, and no work, when there is none. */
  admit<T>(work: () => Promise<T>): Promise<T> | undefined {
    if (this.#taken === this.#places) return undefined;
    this.#taken += 1;
    return work().finally(() => {
      this.#taken -= 1;
    });
  }

  run<T>(steps: Steps<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ steps, resolve: resolve as (value: unknown) => void, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Not a microtask and not process.nextTick: those run before the loop looks at its sockets again.
    setImmediate(() => {
      this.#scheduled = false;
      this.#slice();
      if (this.#running.length > 0 || this.#waiting.length > 0) this.#schedule();
    });
  }

  #slice(): void {
    while (this.#running.length < this.#limit && this.#waiting.length > 0) this.#running.push(this.#waiting.shift()!);
    const job = this.#running.shift();
    if (job === undefined) return;
    const end = performance.now() + this.#sliceMs;
    try {
      do {
        const step = job.steps.next();
        if (step.done) {
          job.resolve(step.value);
          return;
        }
      } while (performance.now() < end);
    } catch (error) {
      job.reject(error);
      return;
    }
    this.#running.push(job);
  }
}
