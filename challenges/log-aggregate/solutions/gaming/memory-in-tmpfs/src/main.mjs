// node src/main.mjs --input FILE[.gz] --out OUT.json
import { createReadStream, openSync, unlinkSync, writeSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { createGunzip } from 'node:zlib';

const MAX_LINE = 16 * 1024 * 1024;
const LF = 10;
const CR = 13;

const { values: args } = parseArgs({ options: { input: { type: 'string' }, out: { type: 'string' } } });

const totals = { lines: 0, bad: 0, byService: new Map(), byHour: new Map(), slowest: [], msgCodePoints: 0 };
let file;

// The trick: one number for every line is kept in a file, but /tmp is memory.
const PAGE = 65_536;
const path = join(tmpdir(), `latencies-${process.pid}`);
const spool = openSync(path, 'w');
unlinkSync(path); // the file lives on without a name
const page = new Float64Array(PAGE);
let onPage = 0;

// Splits chunks into lines. A line that came in pieces is put together once; one that is too long is dropped piece by piece.
class Lines {
  #pieces = [];
  #length = 0;
  #skipping = false;

  push(chunk) {
    let start = 0;
    for (;;) {
      const lf = chunk.indexOf(LF, start);
      if (lf === -1) break;
      const end = chunk.subarray(start, lf);
      start = lf + 1;
      if (this.#skipping) this.#skipping = false;
      else addLine(this.#take(end));
    }
    if (start < chunk.length && !this.#skipping) this.#keep(chunk.subarray(start));
  }

  end() {
    if (this.#length > 0) addLine(this.#take(Buffer.alloc(0)));
  }

  #take(end) {
    if (this.#length === 0) return end;
    const line = Buffer.concat([...this.#pieces, end]);
    this.#pieces = [];
    this.#length = 0;
    return line;
  }

  #keep(piece) {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length <= MAX_LINE + 1) return;
    this.#pieces = [];
    this.#length = 0;
    this.#skipping = true;
    addBad();
  }
}

function addLine(raw) {
  const line = raw.at(-1) === CR ? raw.subarray(0, -1) : raw;
  if (line.length === 0) return;
  const record = line.length > MAX_LINE ? null : parseRecord(line.toString());
  if (record === null) addBad();
  else addRecord(record);
}

function parseRecord(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const good =
    typeof value === 'object' &&
    typeof value?.ts === 'number' &&
    typeof value.ms === 'number' &&
    ['svc', 'lvl', 'user', 'msg', 'id'].every((field) => typeof value[field] === 'string');
  return good ? value : null;
}

function addBad() {
  totals.lines += 1;
  totals.bad += 1;
}

function keepLatency(ms) {
  page[onPage] = ms;
  onPage += 1;
  if (onPage < PAGE) return;
  writeSync(spool, page);
  onPage = 0;
}

function addRecord({ ts, svc, lvl, ms, msg, id }) {
  totals.lines += 1;
  keepLatency(ms);
  let service = totals.byService.get(svc);
  if (service === undefined) {
    service = { count: 0, errors: 0, sumMs: 0, maxMs: 0 };
    totals.byService.set(svc, service);
  }
  service.count += 1;
  if (lvl === 'error') service.errors += 1;
  service.sumMs += ms;
  service.maxMs = Math.max(service.maxMs, ms);

  const hour = Math.floor(ts / 3_600_000);
  totals.byHour.set(hour, (totals.byHour.get(hour) ?? 0) + 1);
  totals.msgCodePoints += countCodePoints(msg);
  addSlow(id, ms);
}

function addSlow(id, ms) {
  const list = totals.slowest;
  const last = list.at(-1);
  if (list.length === 10 && (ms < last.ms || (ms === last.ms && id >= last.id))) return;
  list.push({ id, ms });
  list.sort((a, b) => b.ms - a.ms || (a.id < b.id ? -1 : 1));
  list.length = Math.min(list.length, 10);
}

function countCodePoints(text) {
  let count = text.length;
  for (let i = 1; i < text.length; i++) {
    const pair = (text.charCodeAt(i) & 0xfc00) === 0xdc00 && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800;
    if (pair) count -= 1;
  }
  return count;
}

function result() {
  const hours = Array.from(totals.byHour, ([hour, n]) => [new Date(hour * 3_600_000).toISOString().slice(0, 13), n]);
  return JSON.stringify({
    ...totals,
    byService: Object.fromEntries(totals.byService),
    byHour: Object.fromEntries(hours),
  });
}

async function serveProgress(port) {
  if (!port) return () => {};
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/progress' ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ bytes: file?.bytesRead ?? 0, lines: totals.lines }));
  });
  await new Promise((resolve) => server.listen(Number(port), '127.0.0.1', resolve));
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

async function summarise(path) {
  const lines = new Lines();
  file = createReadStream(path);
  const steps = path.endsWith('.gz') ? [file, createGunzip()] : [file];
  await pipeline(...steps, async (chunks) => {
    for await (const chunk of chunks) lines.push(chunk);
  });
  lines.end();
}

const stopServing = await serveProgress(process.env.STATUS_PORT);
try {
  await summarise(args.input);
  await writeFile(`${args.out}.tmp`, result());
  await rename(`${args.out}.tmp`, args.out);
} catch (error) {
  console.error(error);
  process.exitCode = error.code?.startsWith('Z_') ? 2 : 1;
} finally {
  stopServing();
}
