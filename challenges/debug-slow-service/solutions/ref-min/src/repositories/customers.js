export class CustomerRepository {
  constructor(table) {
    this.table = table;
  }

  byId(id) {
    return this.table.get(id);
  }

  byEmail(email) {
    return this.table.find({ email })[0];
  }
}
