import type { FastifyInstance } from 'fastify';
import { Problem } from './problem.ts';
import { Service, ServiceError } from './service.ts';

const budgetMs = 640;

type Services = { profile: Service; recs: Service; experiments: Service };
type Page = { profile: unknown; recs: unknown[] | null; experiments: object | null; degraded: string[] };

const record = (value: unknown): Record<string, unknown> => {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new TypeError('not an object');
  return value as Record<string, unknown>;
};

const list = (value: unknown): unknown[] => {
  if (!Array.isArray(value)) throw new TypeError('not a list');
  return value;
};

/** What can be done without: null when it cannot be had. */
async function optional<T>(part: Promise<T>): Promise<T | null> {
  try {
    return await part;
  } catch {
    return null;
  }
}

async function required<T>(part: Promise<T>): Promise<T> {
  try {
    return await part;
  } catch (error) {
    if (error instanceof ServiceError && error.status === 404) throw new Problem(404, 'No such user');
    throw new Problem(503, 'Profile is not available', error instanceof ServiceError ? error.retryAfter : undefined);
  }
}

export function registerPages(app: FastifyInstance, { profile, recs, experiments }: Services): void {
  app.get<{ Params: { user: string } }>('/home/:user', async ({ params }): Promise<Page> => {
    const user = encodeURIComponent(params.user);
    const recsPart = optional(recs.get(`/recs/${user}`, budgetMs).then((body) => list(record(body).items)));
    const testsPart = optional(experiments.get(`/experiments/${user}`, budgetMs).then((body) => record(record(body).experiments)));
    const who = await required(profile.get(`/profile/${user}`, budgetMs).then(record));
    const page: Page = { profile: who, recs: await recsPart, experiments: await testsPart, degraded: [] };
    if (!page.recs) page.degraded.push('recs');
    if (!page.experiments) page.degraded.push('experiments');
    return page;
  });
}
