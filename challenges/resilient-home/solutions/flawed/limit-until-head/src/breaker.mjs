/**
 * A circuit breaker over a short window of time. It opens when most of the calls fail, lets one call through from time to time, and closes when
 * one of those succeeds.
 */
export class Breaker {
  #state = 'closed';
  #openUntil = 0;
  #probing = false;
  #slots = [];

  constructor({ windowMs = 1000, slotMs = 100, minCalls = 20, failureShare = 0.6, openMs = 1000, now = () => performance.now() } = {}) {
    Object.assign(this, { windowMs, slotMs, minCalls, failureShare, openMs, now });
  }

  /** Whether a call may be made now. Whoever got true must tell how it ended. */
  admit() {
    if (this.#state === 'closed') return true;
    if (this.#probing || this.now() < this.#openUntil) return false;
    this.#probing = true;
    return true;
  }

  succeeded() {
    if (this.#state === 'open') {
      if (!this.#probing) return; // a late answer from before it opened
      this.#state = 'closed';
      this.#probing = false;
      this.#slots = [];
    }
    this.#slot().good += 1;
  }

  failed() {
    if (this.#state === 'open') {
      if (this.#probing) this.#open();
      return;
    }
    this.#slot().bad += 1;
    let good = 0;
    let bad = 0;
    for (const slot of this.#slots) {
      good += slot.good;
      bad += slot.bad;
    }
    if (good + bad >= this.minCalls && bad >= this.failureShare * (good + bad)) this.#open();
  }

  #open() {
    this.#state = 'open';
    this.#probing = false;
    this.#openUntil = this.now() + this.openMs * (0.75 + 0.5 * Math.random());
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
