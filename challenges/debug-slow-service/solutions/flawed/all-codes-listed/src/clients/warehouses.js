import { HttpClient } from './http.js';

export const WAREHOUSES = ['bergen', 'gdansk', 'genoa', 'porto', 'rotterdam'];

/** The warehouses each keep their own books and are asked one by one; there is no call for all. */
export class WarehousesClient {
  constructor(origin) {
    this.http = new HttpClient('warehouses', origin);
  }

  async count(warehouse, sku) {
    const { pieces, days } = await this.http.get(`/warehouses/${warehouse}/stock/${sku}`);
    return { warehouse, pieces, days };
  }

  close() {
    return this.http.close();
  }
}
