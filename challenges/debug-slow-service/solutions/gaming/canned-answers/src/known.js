const CATEGORIES = ['anchors', 'boots', 'charts', 'compasses', 'jackets', 'lamps'];
const COUNTRIES = ['DE', 'DK', 'ES', 'FR', 'GB', 'IT', 'NL', 'NO', 'PL', 'PT', 'SE', 'FI'];
const SEGMENTS = ['new', 'regular', 'trade'];
const SORTS = ['sku', 'price', 'title'];

const times = (n, make) => Array.from({ length: n }, (_, i) => make(i));
const skuOf = (n) => `QS-${String(n).padStart(4, '0')}`;

/** What the load is known to ask, without what changes. */
export function known() {
  const shipments = times(12, (i) => 17 + 3_101 * i);
  return [
    ...CATEGORIES.flatMap((category, i) => [
      `/products?category=${category}&sort=${SORTS[i % 3]}&page=${1 + (i % 4)}`,
      `/products?category=${category}&material=brass&sort=${SORTS[i % 3]}`,
    ]),
    ...times(12, (i) => `/products/${skuOf(5 + 122 * i)}/related?segment=${SEGMENTS[i % 3]}`),
    ...SEGMENTS.map((segment) => `/products/QS-0100/related?segment=${segment}`),
    ...times(12, (i) => `/customers/c-${3 + 41 * i}/orders`),
    ...times(12, (i) => `/customers/c-${3 + 41 * i}/summary`),
    ...times(8, (i) => `/orders/o-${11 + 487 * i}/invoice`),
    ...shipments.map((n) => `/shipments/s-${n}`),
    ...shipments.map((n) => `/shipments?tracking=QT${(n * 7_919 + 1_000_003).toString(36).toUpperCase()}`),
    ...shipments.map((n, i) => {
      const postcode = String(3_000 + n).padStart(5, '0');
      return `/shipping/quote?country=${COUNTRIES[i]}&postcode=${postcode}&grams=${200 + (n % 20_000)}`;
    }),
    ...['2025-01', '2025-06', '2025-11'].flatMap((month) => [
      `/reports/countries?month=${month}`,
      `/reports/carriers?month=${month}`,
      `/exports/shipments?from=${month}&to=${month}`,
    ]),
  ];
}
