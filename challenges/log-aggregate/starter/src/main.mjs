// node src/main.mjs --input FILE[.gz] --out OUT.json
//
// This starter runs, answers GET /progress and writes a result of the right shape. It does not read the file yet.

import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const { values: args } = parseArgs({
  options: { input: { type: 'string' }, out: { type: 'string' } },
});
if (!args.input || !args.out) {
  console.error('usage: node src/main.mjs --input FILE[.gz] --out OUT.json');
  process.exit(1);
}

const progress = { bytes: 0, lines: 0 };
const server = await serveProgress(process.env.STATUS_PORT);
try {
  const summary = await summarise(args.input);
  await writeFile(args.out, JSON.stringify(summary));
} finally {
  // An open server would keep the process alive.
  server?.close();
  server?.closeAllConnections();
}

async function summarise(path) {
  // TODO: read `path`, and keep `progress` up to date while you do.
  return { lines: 0, bad: 0, byService: {}, byHour: {}, slowest: [], msgCodePoints: 0 };
}

async function serveProgress(port) {
  if (!port) return undefined;
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/progress') {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(progress));
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(port), '127.0.0.1', resolve);
  });
  return server;
}
