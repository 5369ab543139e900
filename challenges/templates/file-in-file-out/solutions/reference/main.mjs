import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { in: { type: 'string' }, out: { type: 'string' } } });

function fields(line) {
  const quoted = line.match(/^"((?:[^"]|"")*)",(.*)$/);
  if (quoted) return [quoted[1].replaceAll('""', '"'), quoted[2]];
  const comma = line.indexOf(',');
  return [line.slice(0, comma), line.slice(comma + 1)];
}

const totals = {};
for (const line of readFileSync(values.in, 'utf8').split(/\r?\n/).slice(1)) {
  if (line === '') continue;
  const [city, amount] = fields(line);
  totals[city] = (totals[city] ?? 0) + Number(amount);
}
writeFileSync(values.out, JSON.stringify(totals));
