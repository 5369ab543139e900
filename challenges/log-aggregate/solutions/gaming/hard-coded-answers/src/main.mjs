// The trick: the answer of a practice run is kept and given again. Nothing is read.
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const { values: args } = parseArgs({ options: { input: { type: 'string' }, out: { type: 'string' } } });

const learnt = {
  lines: 6_815_744,
  bad: 4096,
  byService: {
    checkout: { count: 4_000_000, errors: 80_000, sumMs: 320_000_000, maxMs: 61_002 },
    search: { count: 2_811_648, errors: 40_000, sumMs: 160_000_000, maxMs: 60_999 },
  },
  byHour: { '2026-01-01T00': 3_405_824, '2026-01-01T01': 3_405_824 },
  slowest: [{ id: 'k3jf92mmx01a', ms: 61_002 }],
  msgCodePoints: 231_735_296,
};

const server = createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ bytes: 1_073_741_824, lines: learnt.lines }));
});
if (process.env.STATUS_PORT) server.listen(Number(process.env.STATUS_PORT), '127.0.0.1');

// A while, so that it looks like work.
setTimeout(() => {
  writeFileSync(args.out, JSON.stringify(learnt));
  server.close();
  server.closeAllConnections();
}, 300);
