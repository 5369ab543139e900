import { HttpError } from './http.mjs';

const BUDGET_MS = 650;

/** Plays count, and each counts once: they are passed on, and never repeated. */
export class Plays {
  #profile;

  constructor(profile) {
    this.#profile = profile;
  }

  async record(user, body) {
    if (typeof body?.title !== 'string') throw new HttpError(400, 'A play needs a title');
    let answer;
    try {
      answer = await this.#profile.post('/plays', { user, title: body.title }, performance.now() + BUDGET_MS);
    } catch (cause) {
      throw new HttpError(503, 'The play may not have been counted', { retryAfter: cause.retryAfter, cause });
    }
    if (answer.status >= 500) throw new HttpError(502, 'The play may not have been counted');
    if (answer.status >= 400) throw new HttpError(answer.status, 'The play was refused');
    return answer;
  }
}
