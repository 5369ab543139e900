const COLUMNS = ['id', 'placedAt', 'customer', 'city', 'product', 'quantity', 'price', 'gift', 'note'];

export const HEADER = `${COLUMNS.join(',')}\r\n`;

/** A line of NDJSON as a line of CSV. */
export function csvLine(line) {
  const row = JSON.parse(line);
  return `${COLUMNS.map((column) => field(row[column])).join(',')}\r\n`;
}

/** A line of NDJSON as it is, if it is one. */
export function ndjsonLine(line) {
  JSON.parse(line);
  return `${line}\n`;
}

function field(value) {
  if (value === null) return '';
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
