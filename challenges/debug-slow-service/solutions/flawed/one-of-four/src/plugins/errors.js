import { STATUS_CODES } from 'node:http';
import { ZodError } from 'zod';
import { HttpError } from '../lib/errors.js';

const PROBLEM = 'application/problem+json';

/** Every error leaves as application/problem+json; what is not meant for callers stays in the log. */
export function errorPlugin(app) {
  app.setNotFoundHandler((request, reply) => {
    reply.code(404).type(PROBLEM).send(problem(404, 'There is no such resource.'));
  });
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof ZodError) {
      const detail = error.issues.map((issue) => `${issue.path.join('.') || 'body'} is not valid`).join(', ');
      return reply.code(400).type(PROBLEM).send(problem(400, detail));
    }
    const status = error instanceof HttpError ? error.status : (error.statusCode ?? 500);
    if (status >= 500) {
      request.log.error(error, 'request failed');
    }
    const detail = error instanceof HttpError ? error.message : STATUS_CODES[status];
    return reply.code(status).type(PROBLEM).send(problem(status, detail));
  });
}

function problem(status, detail) {
  return JSON.stringify({ status, title: STATUS_CODES[status] ?? 'Error', detail });
}
