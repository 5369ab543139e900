import { LRUCache } from 'lru-cache';
import { notFound } from '../lib/errors.js';

const CACHE = { max: 2_000, ttl: 30_000 };

/** What goes with an article. It depends on who looks, and may be half a minute old. */
export class RelatedService {
  constructor(products, client) {
    this.products = products;
    this.client = client;
    this.cache = new LRUCache(CACHE);
  }

  async of(sku, segment) {
    if (this.products.bySku(sku) === undefined) {
      throw notFound('product');
    }
    const key = `${segment}:${sku}`;
    let related = this.cache.get(key);
    if (related === undefined) {
      const skus = await this.client.forProduct(sku, segment);
      related = skus.map((id) => this.#card(id));
      this.cache.set(key, related);
    }
    return { sku, segment, related };
  }

  #card(sku) {
    const { title, priceCents } = this.products.bySku(sku);
    return { sku, title, priceCents };
  }
}
