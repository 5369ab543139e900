import { Pool } from 'undici';
import { badGateway } from '../lib/errors.js';

const TIMEOUT_MS = 5_000;
const DEFAULTS = { connections: 32, keepAliveTimeout: 30_000 };

/** JSON over HTTP to one upstream, over connections that are kept. */
export class HttpClient {
  constructor(name, origin, options = {}) {
    this.name = name;
    this.pool = new Pool(origin, { ...DEFAULTS, ...options });
  }

  /** Returns the parsed answer; anything but 200 is an error that says which upstream it was. */
  async get(path, { timeoutMs = TIMEOUT_MS, headers } = {}) {
    const body = await this.#request({ method: 'GET', path, headers, timeoutMs });
    return body.json();
  }

  /** The same for a question that is too long for a path. */
  async post(path, content) {
    const headers = { 'content-type': 'application/json' };
    const body = await this.#request({ method: 'POST', path, headers, timeoutMs: TIMEOUT_MS, body: JSON.stringify(content) });
    return body.json();
  }

  async getText(path) {
    const body = await this.#request({ method: 'GET', path, timeoutMs: TIMEOUT_MS });
    return body.text();
  }

  async #request({ timeoutMs, headers, ...options }) {
    const { statusCode, body } = await this.pool.request({
      ...options,
      headers: { accept: 'application/json', ...headers },
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (statusCode !== 200) {
      await body.dump();
      throw badGateway(this.name);
    }
    return body;
  }

  close() {
    return this.pool.close();
  }
}
