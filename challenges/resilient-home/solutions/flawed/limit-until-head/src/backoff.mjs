/**
 * Full jitter: anything from nothing to a bound that doubles each time. Whoever failed together does not come back together.
 * @param {number} retry 0 for the first one
 */
export function backoff(retry, { base = 80, cap = 400 } = {}) {
  return Math.random() * Math.min(cap, base * 2 ** retry);
}

/**
 * Retries are paid for by ordinary calls: each earns a part of a retry. However bad things are, a service is asked only so much more than when
 * all is well.
 */
export class RetryBudget {
  #tokens;

  constructor({ perCall = 0.3, most = 15 } = {}) {
    this.perCall = perCall;
    this.most = most;
    this.#tokens = most;
  }

  earn() {
    this.#tokens = Math.min(this.most, this.#tokens + this.perCall);
  }

  spend() {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
