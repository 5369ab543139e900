import { HttpClient } from './http.js';

const OPTIONS = {
  connections: 24,
};

/** What can be sold right now. It changes with every sale, so it is never kept. */
export class StockClient {
  constructor(origin) {
    this.http = new HttpClient('stock', origin, OPTIONS);
  }

  async onHand(sku) {
    const { onHand } = await this.http.get(`/stock/${sku}`);
    return onHand;
  }

  close() {
    return this.http.close();
  }
}
