// A little of everything, 60 requests a second for 10 s. Latencies are from when a request was due.
import { setTimeout as sleep } from 'node:timers/promises';

const base = `http://127.0.0.1:${process.env.PORT ?? 3000}`;
const n = (limit) => 1 + Math.floor(Math.random() * limit);
const sku = () => `QS-${String(n(2_000)).padStart(4, '0')}`;
const json = (body) => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
const routes = [
  () => ['list', `/products?category=boots&page=${n(4)}`],
  () => ['product', `/products/${sku()}`],
  () => ['availability', `/products/${sku()}/availability`],
  () => ['price', `/products/${sku()}/price?currency=USD`],
  () => ['related', `/products/QS-${String(100 + n(5)).padStart(4, '0')}/related?segment=trade`],
  () => ['orders', `/customers/c-${n(500)}/orders`],
  () => ['summary', `/customers/c-${n(500)}/summary`],
  () => ['invoice', `/orders/o-${n(4_000)}/invoice`],
  () => ['shipment', `/shipments/s-${n(36_000)}`],
  () => ['tracking', `/shipments?tracking=QT${(n(36_000) * 7_919 + 1_000_003).toString(36).toUpperCase()}`],
  () => ['quote', `/shipping/quote?country=NO&postcode=${10_000 + n(80_000)}&grams=${n(20_000)}`],
  () => ['countries', `/reports/countries?month=2025-0${n(9)}`],
  () => ['export', `/exports/shipments?from=2025-0${n(9)}&to=2025-12`],
  () => ['newsletter', '/newsletter', json({ email: n(2) === 1 ? 'ada.berg@example.com' : 'annemarievandenberghe.example.com' })],
  () => ['login', '/sessions', json({ email: 'hugo.haas.1@example.com', password: 'quayside-1' })],
  () => ['basket', '/baskets/price', json({ lines: Array.from({ length: 1_500 }, () => ({ sku: sku(), quantity: n(9) })) })],
];

const seen = {};
const start = performance.now();
const all = [];
for (let i = 0; i < 600; i++) {
  const due = start + (i * 1_000) / 60;
  await sleep(Math.max(due - performance.now(), 0));
  const [name, path, options] = routes[i % routes.length]();
  all.push(
    fetch(base + path, options)
      .then((answer) => answer.arrayBuffer())
      .then(() => (seen[name] ??= []).push(performance.now() - due), (error) => console.error(name, error.cause?.code ?? error.message)),
  );
}
await Promise.all(all);
console.table(
  Object.fromEntries(
    Object.entries(seen).map(([name, list]) => {
      list.sort((a, b) => a - b);
      const at = (q) => Number(list[Math.min(Math.floor(list.length * q), list.length - 1)].toFixed(1));
      return [name, { requests: list.length, 'p50 ms': at(0.5), 'p90 ms': at(0.9), 'max ms': at(1) }];
    }),
  ),
);
