import { hashPassword } from '../lib/passwords.js';
import { createRandom } from './random.js';
import { createTables } from './tables.js';

// In production the store is filled from last night's snapshot. This one is made up, and the same at every start.
const COUNTS = { products: 2_000, customers: 500, orders: 4_000, shipments: 36_000 };
export const CATEGORIES = ['anchors', 'boots', 'charts', 'compasses', 'jackets', 'lamps', 'oars', 'paint', 'ropes', 'sails', 'tents', 'tools'];
export const SEGMENTS = ['new', 'regular', 'trade'];
const COUNTRIES = ['DE', 'DK', 'ES', 'FR', 'GB', 'IT', 'NL', 'NO', 'PL', 'PT', 'SE', 'FI'];
const CARRIERS = ['albatross', 'courier-north', 'ferryline', 'parcelo', 'seapost'];
const STATUSES = ['announced', 'collected', 'in-transit', 'delivered', 'delivered', 'delivered', 'returned'];
const MATERIALS = ['brass', 'canvas', 'cedar', 'hemp', 'nylon', 'oak', 'steel', 'wool'];
const FIRST = ['ada', 'bo', 'carla', 'dag', 'elin', 'finn', 'greta', 'hugo', 'ida', 'jonas'];
const LAST = ['andersen', 'berg', 'costa', 'duval', 'eriksen', 'ferrari', 'garcia', 'haas', 'ivarsen', 'jansen'];

const month = (random) => `2025-${String(random.whole(1, 12)).padStart(2, '0')}`;
export const skuOf = (number) => `QS-${String(number).padStart(4, '0')}`;

export async function fillStore() {
  const tables = createTables();
  const random = createRandom(20_250_401);
  fillProducts(tables.products, random);
  await fillCustomers(tables.customers, random);
  fillOrders(tables.orders, random);
  fillShipments(tables.shipments, random);
  return tables;
}

function fillProducts(products, random) {
  for (let n = 1; n <= COUNTS.products; n++) {
    const category = random.pick(CATEGORIES);
    const material = random.pick(MATERIALS);
    products.put({
      id: skuOf(n),
      title: `${material} ${category} no. ${n}`,
      category,
      material,
      priceCents: random.whole(150, 45_000),
      grams: random.whole(20, 9_000),
    });
  }
}

/** Customers of the demonstration share four passwords, so that the start does not take minutes. */
async function fillCustomers(customers, random) {
  const passwords = await Promise.all([0, 1, 2, 3].map((n) => hashPassword(`quayside-${n}`, `salt-${n}`)));
  for (let n = 1; n <= COUNTS.customers; n++) {
    const first = random.pick(FIRST);
    const last = random.pick(LAST);
    customers.put({
      id: `c-${n}`,
      email: `${first}.${last}.${n}@example.com`,
      name: `${first} ${last}`,
      segment: random.pick(SEGMENTS),
      salt: `salt-${n % 4}`,
      passwordHash: passwords[n % 4],
    });
  }
}

function fillOrders(orders, random) {
  for (let n = 1; n <= COUNTS.orders; n++) {
    const lines = [];
    for (let left = random.whole(2, 6); left > 0; left--) {
      lines.push({ sku: skuOf(random.whole(1, COUNTS.products)), quantity: random.whole(1, 9), unitCents: random.whole(150, 45_000) });
    }
    orders.put({ id: `o-${n}`, customerId: `c-${random.whole(1, COUNTS.customers)}`, month: month(random), lines });
  }
}

function fillShipments(shipments, random) {
  for (let n = 1; n <= COUNTS.shipments; n++) {
    shipments.put({
      id: `s-${n}`,
      orderId: `o-${random.whole(1, COUNTS.orders)}`,
      tracking: `QT${(n * 7_919 + 1_000_003).toString(36).toUpperCase()}`,
      month: month(random),
      carrier: random.pick(CARRIERS),
      country: random.pick(COUNTRIES),
      status: random.pick(STATUSES),
      grams: random.whole(100, 30_000),
      costCents: random.whole(290, 9_900),
    });
  }
}
