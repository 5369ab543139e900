/** An error that becomes the answer. */
export class Problem extends Error {
  status: number;
  retryAfter?: number;

  constructor(status: number, title: string, retryAfter?: number) {
    super(title);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}
