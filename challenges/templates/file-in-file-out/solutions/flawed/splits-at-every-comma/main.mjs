import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { in: { type: 'string' }, out: { type: 'string' } } });

const totals = {};
for (const line of readFileSync(values.in, 'utf8').split(/\r?\n/).slice(1)) {
  if (line === '') continue;
  const [city, amount] = line.split(',');
  totals[city] = (totals[city] ?? 0) + Number(amount);
}
writeFileSync(values.out, JSON.stringify(totals));
