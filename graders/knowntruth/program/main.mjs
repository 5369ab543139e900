// A program that does what it is told, and keeps the truth about it: how long it kept its event loop from going on, and how
// much memory it held. Assay measures it from outside as it measures any submission; `assay bench` compares the two.
//
// KNOWN_SCRIPT is a list of steps, KNOWN_OUT the file that the truth is written to at the end (or on SIGTERM). All times are
// nanoseconds of CLOCK_MONOTONIC, which the driver reads too.
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

import { blocks, now } from './blocks.mjs';
import { hold } from './holds.mjs';

const SETTLE_MS = 600; // the heartbeat must have found us before the first step

const steps = JSON.parse(process.env.KNOWN_SCRIPT ?? '[]');
const truth = { node: process.version, events: [] };

const actions = {
  async rest({ ms }) {
    await sleep(ms);
  },
  async block({ how, ms }) {
    truth.events.push({ do: 'block', how, ms, ...(await blocks[how](ms)) });
  },
  async hold({ how, bytes, ms }) {
    truth.events.push({ do: 'hold', how, bytes, ms, ...(await hold(how, bytes, ms)) });
  },
};

// A request that costs the server about a twentieth of a millisecond, so that it is the server that is measured.
function work() {
  let x = 1;
  for (let i = 0; i < 40_000; i += 1) x = (Math.imul(x, 1103515245) + 12345) | 0;
  return x;
}

const server = createServer((request, response) => {
  const body = JSON.stringify(request.url === '/work' ? { result: work() } : { ok: true });
  response.setHeader('content-type', 'application/json');
  response.end(body);
});

function finish() {
  if (process.env.KNOWN_OUT) writeFileSync(process.env.KNOWN_OUT, JSON.stringify(truth));
  process.exit(0);
}

process.on('exit', () => process.stderr.write(`bench-clock ${performance.now()}\n`));
process.on('SIGTERM', finish);

if (process.env.PORT) {
  await new Promise((resolve) => server.listen(Number(process.env.PORT), '127.0.0.1', resolve));
  await sleep(SETTLE_MS);
}
for (const step of steps) await actions[step.do](step);
finish();
