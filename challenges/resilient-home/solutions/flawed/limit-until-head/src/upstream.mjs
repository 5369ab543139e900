import { setTimeout as sleep } from 'node:timers/promises';
import { RetryBudget, backoff } from './backoff.mjs';
import { Breaker } from './breaker.mjs';

/** Why a service did not give what it was asked for. */
export class UpstreamError extends Error {
  constructor(message, { status, retryable = false, retryAfter, cause } = {}) {
    super(message, { cause });
    this.status = status;
    this.retryable = retryable;
    this.retryAfter = retryAfter;
  }
}

const ATTEMPTS = 3;
const ATTEMPT_MS = 250;
/** With less than this left, another attempt is not worth it. */
const LEAST_MS = 60;

/** One service that we depend on: time limits, retries within a budget, a breaker, and its own wish to be left alone. */
export class Upstream {
  #breaker = new Breaker();
  #budget = new RetryBudget();
  #pausedUntil = 0;

  constructor(baseUrl) {
    this.baseUrl = baseUrl;
  }

  /**
   * GETs a JSON document, again if need be, until a deadline (of performance.now()).
   * @param {(body: unknown) => T} parse makes a value of it, or throws
   * @template T
   */
  async get(path, deadline, parse) {
    this.#budget.earn();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#guarded(() => this.#getOnce(path, deadline, parse));
      } catch (error) {
        const wait = backoff(attempt - 1);
        const left = deadline - performance.now() - wait;
        if (!error.retryable || attempt === ATTEMPTS || left < LEAST_MS || !this.#budget.spend()) throw error;
        await sleep(wait);
      }
    }
  }

  /** POSTs once. A connection that was refused has carried nothing, so that alone is tried again. */
  async post(path, body, deadline) {
    this.#checkPause();
    const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    try {
      return await this.#exchange(path, deadline - performance.now(), request);
    } catch (error) {
      if (error.cause?.cause?.code !== 'ECONNREFUSED') throw error;
      return this.#exchange(path, deadline - performance.now(), request);
    }
  }

  async #guarded(call) {
    this.#checkPause();
    if (!this.#breaker.admit()) throw new UpstreamError('circuit is open');
    try {
      const value = await call();
      this.#breaker.succeeded();
      return value;
    } catch (error) {
      // An answer such as 404 is a sign of health.
      if (error.status < 500) this.#breaker.succeeded();
      else this.#breaker.failed();
      throw error;
    }
  }

  #checkPause() {
    const left = this.#pausedUntil - performance.now();
    if (left > 0) throw new UpstreamError('asked to be left alone', { status: 503, retryAfter: Math.ceil(left / 1000) });
  }

  async #getOnce(path, deadline, parse) {
    const timeLimit = Math.min(ATTEMPT_MS, deadline - performance.now());
    const { status, body } = await this.#exchange(path, timeLimit);
    if (status !== 200) throw new UpstreamError(`answered ${status}`, { status, retryable: status >= 500 });
    try {
      return parse(body);
    } catch (cause) {
      throw new UpstreamError('answered something else than agreed', { retryable: true, cause });
    }
  }

  /** One request. What is given up is closed. */
  async #exchange(path, timeLimit, init = {}) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), Math.max(timeLimit, 1));
    try {
      const response = await fetch(this.baseUrl + path, { ...init, signal: abort.signal });
      // The fault: the time limit ends with the head, and the body may take as long as it likes.
      clearTimeout(timer);
      const text = await response.text();
      const retryAfter = Number(response.headers.get('retry-after'));
      if ((response.status === 503 || response.status === 429) && retryAfter > 0) {
        this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + retryAfter * 1000);
        throw new UpstreamError('asked to be left alone', { status: response.status, retryAfter });
      }
      return { status: response.status, body: parseJson(text) };
    } catch (error) {
      if (error instanceof UpstreamError) throw error;
      throw new UpstreamError(abort.signal.aborted ? 'took too long' : 'connection failed', { retryable: true, cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
