import { notFound } from '../lib/errors.js';
import { convertCents } from '../lib/money.js';

export class PriceService {
  constructor(products, rates) {
    this.products = products;
    this.rates = rates;
  }

  /** The price of an article in another currency, at the rate of this moment. */
  async inCurrency(sku, currency) {
    const product = this.products.bySku(sku);
    if (product === undefined) {
      throw notFound('product');
    }
    const rate = currency === 'EUR' ? 1 : await this.rates.rate(currency);
    return { sku, currency, rate, amountCents: convertCents(this.products.bySku(sku).priceCents, rate) };
  }

  change(sku, priceCents) {
    const product = this.products.setPrice(sku, priceCents);
    if (product === undefined) {
      throw notFound('product');
    }
    return { sku, priceCents: product.priceCents };
  }
}
