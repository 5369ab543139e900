import { HttpClient } from './http.js';

const TIMEOUT_MS = 150;

/** Points of customers. The programme is run by a partner and is slow for some accounts; nobody's page waits for it. */
export class LoyaltyClient {
  constructor(origin, logger) {
    this.http = new HttpClient('loyalty', origin);
    this.logger = logger;
  }

  /** Points of a customer, or null when the partner does not say in time. */
  async points(customerId) {
    try {
      const { points } = await this.http.get(`/points/${customerId}`, { timeoutMs: TIMEOUT_MS });
      return points;
    } catch (error) {
      this.logger.debug({ customerId, error }, 'loyalty did not answer');
      return null;
    }
  }

  close() {
    return this.http.close();
  }
}
