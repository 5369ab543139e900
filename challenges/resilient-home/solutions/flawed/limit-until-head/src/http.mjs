/** An error with the answer it leads to. */
export class HttpError extends Error {
  constructor(status, title, { retryAfter, cause } = {}) {
    super(title, { cause });
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

const BODY_LIMIT = 64 * 1024;

async function readJson(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > BODY_LIMIT) throw new HttpError(413, 'Body is too large');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new HttpError(400, 'Body is not JSON', { cause });
  }
}

function send(response, status, contentType, body, headers = {}) {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(text), ...headers });
  response.end(text);
}

function sendProblem(response, error) {
  const known = error instanceof HttpError;
  if (!known) console.error(error);
  const status = known ? error.status : 500;
  const headers = error.retryAfter ? { 'retry-after': String(error.retryAfter) } : {};
  send(response, status, 'application/problem+json', { status, title: known ? error.message : 'Internal error' }, headers);
}

/** Makes a request listener of handlers by "METHOD /path/:param". A handler returns { status, body }. */
export function router(routes) {
  const table = Object.entries(routes).map(([route, handler]) => {
    const [method, path] = route.split(' ');
    const pattern = new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[A-Za-z0-9-]{1,64})')}$`);
    return { method, pattern, handler };
  });
  return async (request, response) => {
    try {
      const path = request.url.split('?', 1)[0];
      for (const { method, pattern, handler } of table) {
        const match = request.method === method && pattern.exec(path);
        if (!match) continue;
        const body = method === 'POST' ? await readJson(request) : undefined;
        const answer = await handler(match.groups ?? {}, body);
        return send(response, answer.status, 'application/json', answer.body);
      }
      throw new HttpError(404, 'No such route');
    } catch (error) {
      if (!response.headersSent && !response.destroyed) sendProblem(response, error);
    }
  };
}
