import { WAREHOUSES } from '../clients/warehouses.js';
import { notFound } from '../lib/errors.js';

/** Where an article lies, and how soon it could be with the customer. */
export class AvailabilityService {
  constructor(products, warehouses) {
    this.products = products;
    this.warehouses = warehouses;
  }

  async of(sku) {
    if (this.products.bySku(sku) === undefined) {
      throw notFound('product');
    }
    const places = [];
    for (const warehouse of WAREHOUSES) {
      places.push(await this.warehouses.count(warehouse, sku));
    }
    const stocked = places.filter((place) => place.pieces > 0);
    return {
      sku,
      pieces: stocked.reduce((sum, place) => sum + place.pieces, 0),
      soonestDays: stocked.length === 0 ? null : Math.min(...stocked.map((place) => place.days)),
      places,
    };
  }
}
