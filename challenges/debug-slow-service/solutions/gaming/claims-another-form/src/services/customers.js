import { notFound } from '../lib/errors.js';
import { totalCents } from '../repositories/orders.js';

export class CustomerService {
  constructor(customers, orders, loyalty) {
    this.customers = customers;
    this.orders = orders;
    this.loyalty = loyalty;
  }

  /** What the first page of an account shows. Points are missing when the partner does not answer in time. */
  async summary(id) {
    const customer = this.customers.byId(id);
    if (customer === undefined) {
      throw notFound('customer');
    }
    const orders = this.orders.ofCustomer(id);
    const points = await this.loyalty.points(id);
    return {
      id,
      name: customer.name,
      segment: customer.segment,
      orders: orders.length,
      spentCents: orders.reduce((sum, order) => sum + totalCents(order), 0),
      loyalty: points === null ? { available: false } : { available: true, points, tier: tierOf(points) },
    };
  }
}

function tierOf(points) {
  if (points >= 5_000) return 'admiral';
  if (points >= 1_000) return 'captain';
  return 'mate';
}
