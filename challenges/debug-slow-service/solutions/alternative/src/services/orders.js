import { notFound } from '../lib/errors.js';
import { totalCents } from '../repositories/orders.js';

/** Collects the articles that are asked for in one turn of the loop, and asks for them together. */
class ItemLoader {
  constructor(client) {
    this.client = client;
    this.waiting = undefined;
  }

  load(sku) {
    if (this.waiting === undefined) {
      const batch = { skus: new Set(), items: undefined };
      batch.items = new Promise((resolve) => setImmediate(resolve)).then(async () => {
        this.waiting = undefined;
        const items = await this.client.many([...batch.skus]);
        return new Map(items.map((item) => [item.id, item]));
      });
      this.waiting = batch;
    }
    const { skus, items } = this.waiting;
    skus.add(sku);
    return items.then((bySku) => bySku.get(sku));
  }
}

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
    const loader = new ItemLoader(this.items);
    const orders = await Promise.all(this.orders.ofCustomer(customerId).map((order) => describe(order, loader)));
    return { customerId, orders };
  }
}

async function describe({ id, month, lines, ...order }, loader) {
  const described = await Promise.all(
    lines.map(async ({ sku, quantity, unitCents }) => {
      const { label, unit } = await loader.load(sku);
      return { sku, label, unit, quantity, unitCents };
    }),
  );
  return { id, month, totalCents: totalCents({ ...order, lines }), lines: described };
}
