import { HttpError } from './http.mjs';

/** The whole budget is 800 ms. The rest is for ourselves, and for a loop that is busy. */
const BUDGET_MS = 650;
const STALE_MS = 60_000;
const REMEMBERED_USERS = 2_000;

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

/** The last good recommendations of the users who were here last. */
class LastGood {
  #byUser = new Map();

  put(user, items) {
    this.#byUser.delete(user);
    this.#byUser.set(user, { items, at: performance.now() });
    if (this.#byUser.size > REMEMBERED_USERS) this.#byUser.delete(this.#byUser.keys().next().value);
  }

  get(user) {
    const entry = this.#byUser.get(user);
    return entry && performance.now() - entry.at < STALE_MS - 1000 ? entry.items : undefined;
  }
}

export class HomePage {
  #services;
  #lastGood = new LastGood();

  constructor(services) {
    this.#services = services;
  }

  async render(user) {
    const deadline = performance.now() + BUDGET_MS;
    const { profile, recs, experiments } = this.#services;
    const [profileResult, recsResult, experimentsResult] = await Promise.allSettled([
      profile.get(`/profile/${user}`, deadline, parseProfile),
      recs.get(`/recs/${user}`, deadline, parseRecs),
      experiments.get(`/experiments/${user}`, deadline, parseExperiments),
    ]);
    if (profileResult.status === 'rejected') throw noPage(profileResult.reason);

    const page = { profile: profileResult.value, recs: null, experiments: null, degraded: [] };
    if (recsResult.status === 'fulfilled') {
      page.recs = recsResult.value;
      this.#lastGood.put(user, page.recs);
    } else {
      page.degraded.push('recs');
      const old = this.#lastGood.get(user);
      if (old) Object.assign(page, { recs: old, stale: true });
    }
    if (experimentsResult.status === 'fulfilled') page.experiments = experimentsResult.value;
    else page.degraded.push('experiments');
    return { status: 200, body: page };
  }
}

function noPage(cause) {
  if (cause.status === 404) return new HttpError(404, 'No such user', { cause });
  return new HttpError(503, 'Profile is not available', { retryAfter: cause.retryAfter, cause });
}
