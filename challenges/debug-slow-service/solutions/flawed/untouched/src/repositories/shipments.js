export class ShipmentRepository {
  constructor(table) {
    this.table = table;
  }

  byId(id) {
    return this.table.get(id);
  }

  byTracking(tracking) {
    return this.table.find({ tracking })[0];
  }

  ofOrder(orderId) {
    return this.table.find({ orderId });
  }

  /** Every shipment; there are many. */
  all() {
    return this.table.all();
  }
}
