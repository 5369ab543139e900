import { HttpClient } from './http.js';

/** Master data of articles: titles as printed, units, customs codes. */
export class ItemsClient {
  constructor(origin) {
    this.http = new HttpClient('items', origin);
  }

  /** One article. */
  one(id) {
    return this.http.get(`/items/${encodeURIComponent(id)}`);
  }

  /** Several articles at once, at most 200; returns an array in the order of ids. */
  many(ids) {
    return this.http.post('/items/query', { ids });
  }

  close() {
    return this.http.close();
  }
}
