import { isEmail } from '../lib/email.js';

/** Subscriptions by address. A second one of the same address changes nothing. */
export class NewsletterService {
  /** Returns what becomes of the address, or undefined when it is none. */
  subscribe(email) {
    const address = email.trim().toLowerCase();
    if (!isEmail(address)) {
      return undefined;
    }
    return { email: address, status: 'confirmation-sent' };
  }
}
