import { badRequest } from '../lib/errors.js';
import { quantityDiscount } from '../lib/money.js';

/** Prices baskets. Trade customers upload lists with thousands of lines, in which articles come more than once. */
export class BasketService {
  constructor(products) {
    this.products = products;
  }

  price(lines) {
    const merged = mergeLines(lines);
    let totalCents = 0;
    let grams = 0;
    for (const { sku, quantity } of merged) {
      const product = this.products.bySku(sku);
      if (product === undefined) {
        throw badRequest(`There is no product ${sku}.`);
      }
      const percent = 100 - quantityDiscount(quantity);
      totalCents += Math.floor((product.priceCents * quantity * percent + 50) / 100);
      grams += product.grams * quantity;
    }
    return { articles: merged.length, pieces: merged.reduce((sum, line) => sum + line.quantity, 0), grams, totalCents };
  }
}

/** One line for each article and note, in the order of their first lines. */
export function mergeLines(lines) {
  const byArticle = new Map();
  for (const { sku, quantity, note = '' } of lines) {
    const key = `${sku}\n${note}`;
    const line = byArticle.get(key);
    if (line === undefined) {
      byArticle.set(key, { sku, note, quantity });
    } else {
      line.quantity += quantity;
    }
  }
  return [...byArticle.values()];
}
