export class ProductRepository {
  constructor(table) {
    this.table = table;
  }

  bySku(sku) {
    return this.table.get(sku);
  }

  inCategory(category) {
    return this.table.find({ category });
  }

  setPrice(sku, priceCents) {
    const product = this.table.get(sku);
    if (product === undefined) {
      return undefined;
    }
    this.table.put({ ...product, priceCents });
    return this.table.get(sku);
  }
}
