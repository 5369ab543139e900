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
    const questions = WAREHOUSES.map((warehouse) => this.warehouses.count(warehouse, sku));
    const places = [];
    for await (const place of questions) {
      places.push(place);
    }
    let pieces = 0;
    let soonestDays = null;
    for (const place of places.filter((one) => one.pieces > 0)) {
      pieces += place.pieces;
      soonestDays = Math.min(soonestDays ?? place.days, place.days);
    }
    return { sku, pieces, soonestDays, places };
  }
}
