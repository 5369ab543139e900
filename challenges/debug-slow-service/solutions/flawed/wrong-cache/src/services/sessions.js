import { createHmac } from 'node:crypto';
import { unauthorized } from '../lib/errors.js';
import { verifyPassword } from '../lib/passwords.js';

export class SessionService {
  constructor(customers, secret) {
    this.customers = customers;
    this.secret = secret;
  }

  async open(email, password) {
    const customer = this.customers.byEmail(email.toLowerCase());
    if (customer === undefined || !(await verifyPassword(password, customer.salt, customer.passwordHash))) {
      throw unauthorized();
    }
    return { customerId: customer.id, name: customer.name, segment: customer.segment, token: this.#token(customer) };
  }

  #token({ id, segment }) {
    const claims = Buffer.from(JSON.stringify({ sub: id, segment })).toString('base64url');
    const signature = createHmac('sha256', this.secret).update(claims).digest('base64url');
    return `${claims}.${signature}`;
  }
}
