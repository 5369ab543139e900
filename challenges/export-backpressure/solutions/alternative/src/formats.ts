export type Format = {
  type: string;
  head: string;
  /** From whole lines of NDJSON; throws when one of them is no JSON. */
  convert(lines: string): string;
};

type Value = string | number | boolean | null;

const columns = ['id', 'placedAt', 'customer', 'city', 'product', 'quantity', 'price', 'gift', 'note'] as const;

const csv: Format = {
  type: 'text/csv; charset=utf-8; header=present',
  head: columns.join(',') + '\r\n',
  convert: (lines) =>
    lines
      .split('\n')
      .map((line) => {
        const row = JSON.parse(line) as Record<string, Value>;
        return columns.map((column) => field(row[column] ?? null)).join(',') + '\r\n';
      })
      .join(''),
};

const ndjson: Format = {
  type: 'application/x-ndjson',
  head: '',
  convert(lines) {
    for (const line of lines.split('\n')) JSON.parse(line);
    return lines + '\n';
  },
};

export const formats = new Map<string, Format>([
  ['csv', csv],
  ['ndjson', ndjson],
]);

function field(value: Value): string {
  if (typeof value !== 'string') return value === null ? '' : String(value);
  return /[",\r\n]/.test(value) ? '"' + value.replaceAll('"', '""') + '"' : value;
}
