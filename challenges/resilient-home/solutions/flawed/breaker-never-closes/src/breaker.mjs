/**
 * A circuit breaker over a short window of time. It opens when most of the calls fail.
 */
export class Breaker {
  #open = false;
  #slots = [];

  constructor({ windowMs = 1000, slotMs = 100, minCalls = 20, failureShare = 0.6, now = () => performance.now() } = {}) {
    Object.assign(this, { windowMs, slotMs, minCalls, failureShare, now });
  }

  /** Whether a call may be made now. Whoever got true must tell how it ended. */
  admit() {
    // The fault: once open, it stays so; nothing finds out whether the service is back.
    return !this.#open;
  }

  succeeded() {
    this.#slot().good += 1;
  }

  failed() {
    this.#slot().bad += 1;
    let good = 0;
    let bad = 0;
    for (const slot of this.#slots) {
      good += slot.good;
      bad += slot.bad;
    }
    if (good + bad >= this.minCalls && bad >= this.failureShare * (good + bad)) this.#open = true;
  }

  #slot() {
    const number = Math.floor(this.now() / this.slotMs);
    const oldest = number - this.windowMs / this.slotMs;
    while (this.#slots.length > 0 && this.#slots[0].number <= oldest) this.#slots.shift();
    let last = this.#slots.at(-1);
    if (last?.number !== number) {
      last = { number, good: 0, bad: 0 };
      this.#slots.push(last);
    }
    return last;
  }
}
