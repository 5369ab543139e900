import { HttpClient } from './http.js';

/** What a model thinks that somebody who looks at one article wants to see next. */
export class RelatedClient {
  constructor(origin) {
    this.http = new HttpClient('related', origin);
  }

  async forProduct(sku, segment) {
    const { skus } = await this.http.get(`/related/${sku}?segment=${segment}`);
    return skus;
  }

  close() {
    return this.http.close();
  }
}
