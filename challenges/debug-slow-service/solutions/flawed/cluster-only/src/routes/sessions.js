import { z } from 'zod';

const Login = z.object({ email: z.string().max(254), password: z.string().max(200) });

export function sessionRoutes(app, { sessions }) {
  app.post('/sessions', async (request, reply) => {
    const { email, password } = Login.parse(request.body);
    return reply.code(201).send(await sessions.open(email, password));
  });
}
