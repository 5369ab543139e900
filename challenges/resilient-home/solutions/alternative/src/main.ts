import Fastify from 'fastify';
import { registerPages } from './pages.ts';
import { registerPlays } from './plays.ts';
import { Problem } from './problem.ts';
import { Service } from './service.ts';

const { PORT, PROFILE_URL, RECS_URL, AB_URL } = process.env as Record<string, string>;

const profile = new Service('profile', PROFILE_URL);
const recs = new Service('recs', RECS_URL);
const experiments = new Service('experiments', AB_URL);

const app = Fastify();

app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
  const status = error instanceof Problem ? error.status : (error.statusCode ?? 500);
  if (status >= 500 && !(error instanceof Problem)) console.error(error);
  if (error instanceof Problem && error.retryAfter) reply.header('retry-after', String(error.retryAfter));
  return reply.code(status).type('application/problem+json').send(JSON.stringify({ status, title: error.message }));
});
app.setNotFoundHandler((_request, reply) =>
  reply.code(404).type('application/problem+json').send(JSON.stringify({ status: 404, title: 'No such route' })),
);

app.get('/healthz', () => ({ ok: true }));
registerPages(app, { profile, recs, experiments });
registerPlays(app, profile);

await app.listen({ port: Number(PORT), host: '0.0.0.0' });
