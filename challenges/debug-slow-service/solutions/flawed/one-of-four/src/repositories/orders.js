export class OrderRepository {
  constructor(table) {
    this.table = table;
  }

  byId(id) {
    return this.table.get(id);
  }

  /** Orders of a customer, oldest number first. */
  ofCustomer(customerId) {
    return this.table.find({ customerId });
  }
}

/** What an order costs, in cents. */
export function totalCents(order) {
  return order.lines.reduce((sum, line) => sum + line.quantity * line.unitCents, 0);
}
