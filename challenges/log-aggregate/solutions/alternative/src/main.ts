// A pipeline of async generators: chunks of the file → blocks of whole lines → entries → totals.
// Node runs this file as it is; only types that can be stripped are used.

import { rename, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { entriesOf } from './entries.ts';
import { openSource } from './source.ts';
import { blocksOfLines } from './blocks.ts';
import { startProgressServer } from './progress.ts';
import { Totals } from './totals.ts';

const { values } = parseArgs({ options: { input: { type: 'string' }, out: { type: 'string' } } });
if (values.input === undefined || values.out === undefined) {
  console.error('usage: node src/main.ts --input FILE[.gz] --out OUT.json');
  process.exit(1);
}

const source = openSource(values.input);
const totals = new Totals();
const server = await startProgressServer(process.env.STATUS_PORT, () => ({
  bytes: source.bytesTaken(),
  lines: totals.lines,
}));

try {
  for await (const block of blocksOfLines(source.chunks)) {
    for (const entry of entriesOf(block)) totals.add(entry);
  }
  await writeFile(`${values.out}.part`, JSON.stringify(totals));
  await rename(`${values.out}.part`, values.out);
} catch (error) {
  console.error(error);
  process.exitCode = isDamagedGzip(error) ? 2 : 1;
} finally {
  server?.close();
  server?.closeAllConnections();
}

function isDamagedGzip(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}
