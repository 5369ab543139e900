/** An error that a caller may see. */
export class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.name = 'HttpError';
    this.status = status;
  }
}

export const notFound = (what) => new HttpError(404, `There is no such ${what}.`);
export const badRequest = (message) => new HttpError(400, message);
export const unauthorized = () => new HttpError(401, 'Email or password is wrong.');
export const badGateway = (name) => new HttpError(502, `The ${name} service did not answer as agreed.`);
