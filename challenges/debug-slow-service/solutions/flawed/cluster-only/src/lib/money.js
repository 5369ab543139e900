/** Converts cents at a rate and rounds half up, as invoices do. */
export function convertCents(cents, rate) {
  return Math.floor(cents * rate + 0.5);
}

/** Discount for a quantity of one article, in percent. */
export function quantityDiscount(quantity) {
  if (quantity >= 100) return 12;
  if (quantity >= 20) return 7;
  if (quantity >= 5) return 3;
  return 0;
}
