import { createServer } from 'node:http';
import { HomePage } from './home.mjs';
import { router } from './http.mjs';
import { Plays } from './plays.mjs';
import { Upstream } from './upstream.mjs';

const { PORT, PROFILE_URL, RECS_URL, AB_URL } = process.env;

const profile = new Upstream(PROFILE_URL);
const page = new HomePage({ profile, recs: new Upstream(RECS_URL), experiments: new Upstream(AB_URL) });
const plays = new Plays(profile);

createServer(
  router({
    'GET /healthz': () => ({ status: 200, body: { ok: true } }),
    'GET /home/:user': ({ user }) => page.render(user),
    'POST /home/:user/plays': ({ user }, body) => plays.record(user, body),
  }),
).listen(Number(PORT), '0.0.0.0');
