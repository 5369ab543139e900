import type { FastifyInstance } from 'fastify';
import { Problem } from './problem.ts';
import { Service, ServiceError } from './service.ts';

const budgetMs = 640;

const schema = { body: { type: 'object', required: ['title'], properties: { title: { type: 'string' } } } };

export function registerPlays(app: FastifyInstance, profile: Service): void {
  app.post<{ Params: { user: string }; Body: { title: string } }>('/home/:user/plays', { schema }, async (request, reply) => {
    const play = JSON.stringify({ user: request.params.user, title: request.body.title });
    try {
      // Once: whether it took effect is not known when its answer is lost.
      const answer = await profile.request('/plays', budgetMs, { method: 'POST', headers: { 'content-type': 'application/json' }, body: play });
      return reply.code(201).send(answer);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      if (error.status >= 400 && error.status < 500) throw new Problem(error.status, 'The play was refused');
      throw new Problem(502, 'The play may not have been counted', error.retryAfter);
    }
  });
}
