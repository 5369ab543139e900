// Bodies in, JSON and problems out.

const FIRST_GUESS_BYTES = 64 * 1024;

/** Becomes an answer of type application/problem+json. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} title
   * @param {Record<string, string>} [headers]
   */
  constructor(status, title, headers = {}) {
    super(title);
    this.status = status;
    this.headers = headers;
  }
}

/**
 * Reads a whole body into memory of its own, which can be transferred to another thread.
 *
 * Each chunk is copied as it arrives. Putting 8 MB together at the end would be one copy of 8 MB on the event loop.
 *
 * @param {import('node:http').IncomingMessage} request
 * @param {number} maxBytes a longer body is a problem with status 400
 * @returns {Promise<Uint8Array>}
 */
export function readBytes(request, maxBytes) {
  return new Promise((resolve, reject) => {
    const announced = Number(request.headers['content-length'] ?? FIRST_GUESS_BYTES);
    if (announced > maxBytes) {
      reject(tooLong(maxBytes));
      return;
    }
    // Not allocUnsafe: small ones of those share their memory, which cannot be transferred.
    let bytes = Buffer.allocUnsafeSlow(announced);
    let length = 0;

    request.on('data', (chunk) => {
      const needed = length + chunk.length;
      if (needed > maxBytes) {
        request.removeAllListeners('data');
        reject(tooLong(maxBytes));
        return;
      }
      if (needed > bytes.length) {
        const larger = Buffer.allocUnsafeSlow(Math.min(2 * needed, maxBytes));
        bytes.copy(larger, 0, 0, length);
        bytes = larger;
      }
      chunk.copy(bytes, length);
      length = needed;
    });
    request.once('end', () => resolve(bytes.subarray(0, length)));
    // A client that goes away half way. After 'end' neither changes anything.
    const endedEarly = () => reject(new Problem(400, 'The body ended early'));
    request.once('error', endedEarly);
    request.once('close', endedEarly);
  });
}

/** Reads a small JSON body. Anything else is a problem with status 400. */
export async function readJson(request, maxBytes) {
  const bytes = await readBytes(request, maxBytes);
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw new Problem(400, 'The body is not JSON');
  }
}

export function sendJson(response, status, value, headers = {}) {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

/** @param {Problem} problem */
export function sendProblem(response, problem) {
  sendJson(
    response,
    problem.status,
    { status: problem.status, title: problem.message },
    { 'content-type': 'application/problem+json', ...problem.headers },
  );
}

function tooLong(maxBytes) {
  return new Problem(400, `A body has at most ${maxBytes} bytes`);
}
