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
    const described = [];
    for (const order of orders) {
      const items = await Promise.all(order.lines.map((line) => this.items.one(line.sku)));
      const bySku = new Map(items.map((item) => [item.id, item]));
      described.push(describe(order, (sku) => bySku.get(sku)));
    }
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
