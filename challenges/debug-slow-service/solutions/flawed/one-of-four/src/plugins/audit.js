const UNWATCHED = new Set(['/healthz']);

/** One line in the audit log for each request that was answered, whoever asked and however it ended. */
export function auditPlugin(app, audit) {
  app.addHook('onResponse', async (request, reply) => {
    const path = request.url.split('?', 1)[0];
    if (UNWATCHED.has(path)) {
      return;
    }
    audit.write({
      time: new Date().toISOString(),
      id: request.id,
      method: request.method,
      url: request.url,
      route: request.routeOptions?.url ?? null,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 1000) / 1000,
      client: {
        address: request.ip,
        agent: request.headers['user-agent'] ?? null,
        accept: request.headers.accept ?? null,
        language: request.headers['accept-language'] ?? null,
        host: request.host,
      },
      body: { type: request.headers['content-type'] ?? null, bytes: Number(request.headers['content-length'] ?? 0) },
      answer: { type: reply.getHeader('content-type') ?? null, bytes: Number(reply.getHeader('content-length') ?? 0) },
      retention: { policy: 'commercial-records', years: 10, classification: 'internal' },
    });
  });
}
