// Rows as CSV after RFC 4180.

const COLUMNS = ['id', 'placedAt', 'customer', 'city', 'product', 'quantity', 'price', 'gift', 'note'];

/** The first line, with its end. */
export const HEADER = `${COLUMNS.join(',')}\r\n`;

const SPECIAL = /[",\r\n]/;

/**
 * Converts whole lines of NDJSON. All of a batch becomes one buffer: a write for each row would cost more than its conversion.
 *
 * @param {string} lines
 */
export function csvRows(lines) {
  let text = '';
  for (const line of lines.split('\n')) text += csvRow(JSON.parse(line));
  return Buffer.from(text);
}

function csvRow(row) {
  // Dates, ids, numbers and booleans hold nothing that is special.
  return (
    `${row.id},${row.placedAt},${field(row.customer)},${field(row.city)},${field(row.product)},` +
    `${row.quantity},${row.price},${row.gift},${field(row.note)}\r\n`
  );
}

function field(value) {
  if (value === null) return '';
  return SPECIAL.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
