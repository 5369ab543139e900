import fs from 'node:fs';
import http from 'node:http';
import zlib from 'node:zlib';
import { StringDecoder } from 'node:string_decoder';
import { parseArgs } from 'node:util';

// 16 MiB, at two bytes a character.
const MAX_LINE = (16 * 1024 * 1024) / 2;

const { values: args } = parseArgs({
  options: { input: { type: 'string' }, out: { type: 'string' } },
});

const summary = { lines: 0, bad: 0, byService: {}, byHour: {}, slowest: [], msgCodePoints: 0 };

const file = fs.createReadStream(args.input);

let server;
if (process.env.STATUS_PORT) {
  server = http.createServer((req, res) => {
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ bytes: file.bytesRead, lines: summary.lines }));
  });
  server.listen(process.env.STATUS_PORT, '127.0.0.1');
}

function isText(value) {
  return typeof value === 'string' && value.length > 0;
}

function isValid(entry) {
  return (
    entry !== null &&
    typeof entry === 'object' &&
    typeof entry.ts === 'number' &&
    typeof entry.ms === 'number' &&
    isText(entry.svc) &&
    isText(entry.lvl) &&
    isText(entry.user) &&
    isText(entry.msg) &&
    isText(entry.id)
  );
}

function handleLine(line) {
  line = line.trim();
  if (line === '') return;
  summary.lines++;

  let entry;
  try {
    entry = JSON.parse(line);
  } catch {
    summary.bad++;
    return;
  }
  if (!isValid(entry)) {
    summary.bad++;
    return;
  }

  summary.byService[entry.svc] ??= { count: 0, errors: 0, sumMs: 0, maxMs: 0 };
  const service = summary.byService[entry.svc];
  service.count++;
  if (entry.lvl === 'error') service.errors++;
  service.sumMs += entry.ms;
  service.maxMs = Math.max(service.maxMs, entry.ms);

  const hour = new Date(entry.ts).toISOString().slice(0, 13);
  summary.byHour[hour] = (summary.byHour[hour] || 0) + 1;

  for (const _ of entry.msg) summary.msgCodePoints++;

  const slowest = summary.slowest;
  if (slowest.length < 10 || entry.ms >= slowest[9].ms) {
    slowest.push({ id: entry.id, ms: entry.ms });
    slowest.sort((a, b) => b.ms - a.ms || (a.id < b.id ? -1 : 1));
    slowest.splice(10);
  }
}

async function main() {
  const input = args.input.endsWith('.gz') ? file.pipe(zlib.createGunzip()) : file;
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let tooLong = false;

  for await (const chunk of input) {
    const parts = decoder.write(chunk).split('\n');
    parts[0] = rest + parts[0];
    rest = parts.pop();
    for (const part of parts) {
      // After a line that was too long, the first part is its end.
      if (!tooLong) handleLine(part);
      tooLong = false;
    }
    if (rest.length > MAX_LINE) tooLong = true;
    if (tooLong) rest = '';
  }
  if (!tooLong) handleLine(rest + decoder.end());

  fs.writeFileSync(args.out, JSON.stringify(summary));
  if (server) {
    server.close();
    server.closeAllConnections();
  }
}

main();
