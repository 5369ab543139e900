import { HttpError } from './http.mjs';

/** The whole budget is 800 ms. The rest is for ourselves, and for a loop that is busy. */
const BUDGET_MS = 650;

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

function check(ok, what) {
  if (!ok) throw new TypeError(`${what} has another shape`);
}

function parseProfile(body) {
  check(isObject(body) && typeof body.user === 'string', 'profile');
  return body;
}

function parseRecs(body) {
  check(isObject(body) && Array.isArray(body.items), 'recommendations');
  return body.items;
}

function parseExperiments(body) {
  check(isObject(body) && isObject(body.experiments), 'experiments');
  return body.experiments;
}

export class HomePage {
  #services;

  constructor(services) {
    this.#services = services;
  }

  async render(user) {
    const deadline = performance.now() + BUDGET_MS;
    const { profile, recs, experiments } = this.#services;
    // The fault: Promise.all rejects with the first of them, be it needed or not.
    let parts;
    try {
      parts = await Promise.all([
        profile.get(`/profile/${user}`, deadline, parseProfile),
        recs.get(`/recs/${user}`, deadline, parseRecs),
        experiments.get(`/experiments/${user}`, deadline, parseExperiments),
      ]);
    } catch (error) {
      throw noPage(error);
    }
    const page = { profile: parts[0], recs: parts[1], experiments: parts[2], degraded: [] };
    return { status: 200, body: page };
  }
}

function noPage(cause) {
  if (cause.status === 404) return new HttpError(404, 'No such user', { cause });
  return new HttpError(503, 'Profile is not available', { retryAfter: cause.retryAfter, cause });
}
