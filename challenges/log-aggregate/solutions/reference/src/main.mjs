// Summarises a log of JSON lines:  node src/main.mjs --input FILE[.gz] --out OUT.json
//
// Exit codes: 0 result written, 2 damaged gzip (no result), 1 anything else that failed.

import { rename, rm, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { DamagedInputError, openInput } from './input.mjs';
import { readLineBlocks } from './lines.mjs';
import { serveProgress } from './progress.mjs';
import { RecordReader } from './records.mjs';
import { Summary } from './summary.mjs';

const EXIT_FAILED = 1;
const EXIT_DAMAGED = 2;

async function main() {
  const { input: inputPath, out: outPath } = readArguments();
  const summary = new Summary();
  const input = await openInput(inputPath);
  try {
    const stopServing = await serveProgress(process.env.STATUS_PORT, () => ({
      bytes: input.bytesTaken,
      lines: summary.lines,
    }));
    try {
      await summarise(input, summary);
      await writeAtomically(outPath, JSON.stringify(summary));
    } finally {
      stopServing();
    }
  } finally {
    await input.close();
  }
}

async function summarise(input, summary) {
  const records = new RecordReader(summary);
  await readLineBlocks(input, {
    block: (lines) => records.readBlock(lines),
    tooLong: () => summary.addBad(),
  });
}

function readArguments() {
  const { values } = parseArgs({
    options: { input: { type: 'string' }, out: { type: 'string' } },
  });
  if (!values.input || !values.out) {
    throw new Error('usage: main.mjs --input FILE[.gz] --out OUT.json');
  }
  return values;
}

// A reader of `path` sees the whole result or none, also when we are killed half way.
async function writeAtomically(path, text) {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(draft, text);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof DamagedInputError ? error.message : error);
  process.exitCode = error instanceof DamagedInputError ? EXIT_DAMAGED : EXIT_FAILED;
}
