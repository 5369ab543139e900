import { LRUCache } from 'lru-cache';
import { notFound } from '../lib/errors.js';

const PAGE_SIZE = 24;

const ORDERS = {
  sku: (a, b) => (a.id < b.id ? -1 : 1),
  price: (a, b) => a.priceCents - b.priceCents || (a.id < b.id ? -1 : 1),
  title: (a, b) => (a.title < b.title ? -1 : a.title > b.title ? 1 : 0),
};

export class CatalogueService {
  constructor(products, stock, reviews) {
    this.products = products;
    this.stock = stock;
    this.reviews = reviews;
    this.pages = new LRUCache({ max: 2_000, ttl: 30_000 });
  }

  /** One page of a category. */
  list({ category, material, sort, page }) {
    const all = this.products.inCategory(category).filter((product) => material === undefined || product.material === material);
    const sorted = all.sort(ORDERS[sort]);
    const items = sorted.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE).map(summary);
    return { category, page, pages: Math.ceil(all.length / PAGE_SIZE), total: all.length, items };
  }

  /** An article as its page shows it. Price and stock are those of this moment. */
  async detail(sku) {
    const known = this.pages.get(sku);
    if (known !== undefined) {
      return known;
    }
    const product = this.products.bySku(sku);
    if (product === undefined) {
      throw notFound('product');
    }
    const [onHand, reviews] = await Promise.all([this.stock.onHand(sku), this.reviews.summary(sku)]);
    const { id, title, category, material, priceCents, grams } = this.products.bySku(sku);
    const page = { sku: id, title, category, material, priceCents, grams, onHand, sellable: onHand > 0, reviews };
    this.pages.set(sku, page);
    return page;
  }
}

function summary({ id, title, material, priceCents }) {
  return { sku: id, title, material, priceCents };
}
