/** Becomes an answer of type application/problem+json. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} title
   */
  constructor(status, title) {
    super(title);
    this.status = status;
  }
}

/** @param {Problem} problem */
export function sendProblem(response, { status, message: title }) {
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ status, title }));
}
