import { notFound } from '../lib/errors.js';

const REFRESH_MS = 60_000;

/** What sending a parcel costs, by the tariff document of the carriers, which is fetched again every minute. */
export class ShippingService {
  constructor(client) {
    this.client = client;
    this.tariffs = undefined;
    this.timer = undefined;
  }

  async load() {
    const document = await this.client.document();
    this.tariffs = JSON.parse(document);
    this.timer ??= setInterval(() => this.load().catch(() => {}), REFRESH_MS).unref();
  }

  close() {
    clearInterval(this.timer);
  }

  quote({ country, postcode, grams }) {
    const tariffs = this.tariffs;
    const zones = tariffs.countries[country];
    const zone = zones?.[postcode.slice(0, tariffs.prefixLength)];
    if (zone === undefined) {
      throw notFound('destination');
    }
    const kilograms = Math.ceil(grams / 1_000);
    const costCents = zone.baseCents + kilograms * zone.perKilogramCents;
    return { country, postcode, grams, zone: zone.name, days: zone.days, costCents };
  }
}
