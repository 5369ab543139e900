import { setTimeout as sleep } from 'node:timers/promises';
import CircuitBreaker from 'opossum';

/** What a service did instead of answering. */
export class ServiceError extends Error {
  kind: 'status' | 'broken' | 'paused';
  status: number;
  retryAfter?: number;

  constructor(kind: ServiceError['kind'], message: string, status = 0, retryAfter?: number) {
    super(message);
    this.kind = kind;
    this.status = status;
    this.retryAfter = retryAfter;
  }

  get transient(): boolean {
    return this.kind === 'broken' || (this.kind === 'status' && this.status >= 500);
  }
}

const attemptMs = 230;
const leastMs = 50;
const retries = 2;
const firstWait = 40;
const longestWait = 300;

/** Decorrelated jitter: each wait is drawn from a range that grows with the last one. */
const nextWait = (last: number): number => Math.min(longestWait, firstWait + Math.random() * (last * 3 - firstWait));

/** Every call earns a part of a retry, and a few retries can be saved up: however bad things are, retries stay a fixed part of all calls. */
class Allowance {
  #left = 15;

  called(): void {
    this.#left = Math.min(15, this.#left + 0.3);
  }

  take(): boolean {
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}

/** One of the services that a page is made from. */
export class Service {
  #base: string;
  #allowance = new Allowance();
  #pausedUntil = 0;
  #breaker: CircuitBreaker<[string, number], unknown>;

  constructor(name: string, base: string) {
    this.#base = base;
    this.#breaker = new CircuitBreaker((path: string, ms: number) => this.request(path, ms), {
      name,
      timeout: false, // each request has its own, which also closes it
      errorThresholdPercentage: 60,
      volumeThreshold: 30,
      rollingCountTimeout: 1_000,
      rollingCountBuckets: 10,
      resetTimeout: 1_000,
      errorFilter: (error) => error instanceof ServiceError && error.kind === 'status' && error.status < 500,
    });
  }

  /** GETs a document within a time, with retries. */
  async get(path: string, withinMs: number): Promise<unknown> {
    const end = Date.now() + withinMs;
    this.#allowance.called();
    let wait = firstWait;
    for (let attempt = 0; ; attempt += 1) {
      this.#respectPause();
      try {
        return await this.#breaker.fire(path, Math.min(attemptMs, end - Date.now()));
      } catch (error) {
        wait = nextWait(wait);
        const hopeless = !(error instanceof ServiceError && error.transient) || attempt === retries;
        if (hopeless || Date.now() + wait + leastMs > end || !this.#allowance.take()) throw error;
        await sleep(wait);
      }
    }
  }

  /** One request, whose time limit covers the body. */
  async request(path: string, ms: number, init: RequestInit = {}): Promise<unknown> {
    this.#respectPause();
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.#base + path, { ...init, signal: AbortSignal.timeout(Math.max(1, Math.round(ms))) });
      text = await response.text();
    } catch (error) {
      throw new ServiceError('broken', `${path}: ${(error as Error).message}`);
    }
    const pause = Number(response.headers.get('retry-after'));
    if (pause > 0 && (response.status === 503 || response.status === 429)) {
      this.#pausedUntil = Date.now() + pause * 1_000;
      throw new ServiceError('paused', `${path}: pause of ${pause} s`, response.status, pause);
    }
    if (!response.ok) throw new ServiceError('status', `${path}: ${response.status}`, response.status);
    try {
      return JSON.parse(text);
    } catch {
      throw new ServiceError('broken', `${path}: no JSON`);
    }
  }

  #respectPause(): void {
    const left = this.#pausedUntil - Date.now();
    if (left > 0) throw new ServiceError('paused', 'paused', 503, Math.ceil(left / 1_000));
  }
}
