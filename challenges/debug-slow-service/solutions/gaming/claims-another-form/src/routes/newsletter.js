import { z } from 'zod';
import { badRequest } from '../lib/errors.js';

const Subscription = z.object({ email: z.string().max(500) });

export function newsletterRoutes(app, { newsletter }) {
  app.post('/newsletter', async (request, reply) => {
    const { email } = Subscription.parse(request.body);
    const subscription = newsletter.subscribe(email);
    if (subscription === undefined) {
      throw badRequest('This is no email address.');
    }
    return reply.code(202).send(subscription);
  });
}
