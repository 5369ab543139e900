import { HttpClient } from './http.js';

// The reviews live in another region: a new connection costs two round trips and a handshake before the first byte.
const OPTIONS = {
  connections: 24,
};

export class ReviewsClient {
  constructor(origin) {
    this.http = new HttpClient('reviews', origin, OPTIONS);
  }

  /** Number and mean of the reviews of an article. */
  async summary(sku) {
    const { count, average } = await this.http.get(`/reviews/${sku}`);
    return { count, average };
  }

  close() {
    return this.http.close();
  }
}
