import { notFound } from '../lib/errors.js';
import { totalCents } from '../repositories/orders.js';

export class OrderService {
  constructor(customers, orders, items) {
    this.customers = customers;
    this.orders = orders;
    this.items = items;
  }

  /** The orders of a customer, with the articles as they are printed on labels. */
  async ofCustomer(customerId) {
    if (this.customers.byId(customerId) === undefined) {
      throw notFound('customer');
    }
    const orders = this.orders.ofCustomer(customerId);
    const skus = [...new Set(orders.flatMap((order) => order.lines.map((line) => line.sku)))];
    const items = skus.length === 0 ? [] : await this.items.many(skus);
    const bySku = new Map(items.map((item) => [item.id, item]));
    const described = orders.map((order) => describe(order, (sku) => bySku.get(sku)));
    return { customerId, orders: described };
  }
}

function describe(order, itemOf) {
  const lines = order.lines.map(({ sku, quantity, unitCents }) => {
    const { label, unit } = itemOf(sku);
    return { sku, label, unit, quantity, unitCents };
  });
  return { id: order.id, month: order.month, totalCents: totalCents(order), lines };
}
