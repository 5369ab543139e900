import { createHmac, pbkdf2 } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { notFound } from '../lib/errors.js';
import { totalCents } from '../repositories/orders.js';

const derive = promisify(pbkdf2);
const KEY = { salt: 'invoice-key-1', iterations: 80_000, bytes: 32, digest: 'sha256' };
const TEMPLATE = new URL('../templates/invoice.txt', import.meta.url);

/** Invoices as text, signed so that the portal can tell a genuine one. */
export class InvoiceService {
  constructor(orders, customers, secret) {
    this.orders = orders;
    this.secret = secret;
    this.material = undefined;
  }

  async of(orderId) {
    const order = this.orders.byId(orderId);
    if (order === undefined) {
      throw notFound('order');
    }
    const { template, key } = await this.prepared();
    const text = render(template, order);
    return { orderId, totalCents: totalCents(order), text, signature: createHmac('sha256', key).update(text).digest('hex') };
  }

  /** Template and key, made at the first invoice and kept. */
  prepared() {
    this.material ??= this.prepare();
    return this.material;
  }

  async prepare() {
    const template = await readFile(TEMPLATE, 'utf8');
    const key = await derive(this.secret, KEY.salt, KEY.iterations, KEY.bytes, KEY.digest);
    return { template, key };
  }
}

function render(template, order) {
  const lines = order.lines.map((line) => `${line.sku}  ${line.quantity} x ${euros(line.unitCents)}`);
  return template
    .replace('{{number}}', order.id)
    .replace('{{lines}}', lines.join('\n'))
    .replace('{{total}}', euros(totalCents(order)));
}

function euros(cents) {
  return `EUR ${(cents / 100).toFixed(2)}`;
}
