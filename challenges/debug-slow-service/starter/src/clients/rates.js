import { HttpClient } from './http.js';

/** Exchange rates. The service moves between hosts, so its name is resolved and connections are kept for each address. */
export class RatesClient {
  constructor(origin, resolver) {
    this.origin = new URL(origin);
    this.resolver = resolver;
    this.hosts = new Map();
  }

  async rate(currency) {
    const address = await this.resolver.address(this.origin.hostname);
    const { rate } = await this.at(address).get(`/rates/${currency}`, { headers: { host: this.origin.host } });
    return rate;
  }

  at(address) {
    let http = this.hosts.get(address);
    if (http === undefined) {
      http = new HttpClient('rates', `${this.origin.protocol}//${address}:${this.origin.port}`);
      this.hosts.set(address, http);
    }
    return http;
  }

  async close() {
    await Promise.all([...this.hosts.values()].map((http) => http.close()));
  }
}
