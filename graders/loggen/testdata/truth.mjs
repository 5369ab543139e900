// The contract once more, by JSON.parse itself: a third truth beside the generator's and the oracle's. It reads files whole.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const strings = ['svc', 'lvl', 'user', 'msg', 'id'];

function parse(bytes) {
  if (bytes.length > 16 * 1024 * 1024) return null;
  try {
    const v = JSON.parse(decoder.decode(bytes));
    if (typeof v !== 'object' || v === null || Array.isArray(v)) return null;
    const has = (key, type) => Object.hasOwn(v, key) && typeof v[key] === type;
    return has('ts', 'number') && has('ms', 'number') && strings.every((key) => has(key, 'string')) ? v : null;
  } catch {
    return null;
  }
}

function summarise(data) {
  const services = new Map();
  const hours = new Map();
  const slowest = [];
  const out = { lines: 0, bad: 0, byService: {}, byHour: {}, slowest: [], msgCodePoints: 0 };
  for (let at = 0; at < data.length; ) {
    let end = data.indexOf(10, at);
    const next = end < 0 ? data.length : end + 1;
    if (end < 0) end = data.length;
    if (end > at && data[end - 1] === 13) end--;
    if (end > at) {
      out.lines++;
      const v = parse(data.subarray(at, end));
      if (v === null) {
        out.bad++;
      } else {
        const s = services.get(v.svc) ?? { count: 0, errors: 0, sumMs: 0, maxMs: 0 };
        services.set(v.svc, s);
        s.count++;
        s.errors += v.lvl === 'error' ? 1 : 0;
        s.sumMs += v.ms;
        s.maxMs = Math.max(s.maxMs, v.ms);
        const hour = new Date(v.ts).toISOString().slice(0, 13);
        hours.set(hour, (hours.get(hour) ?? 0) + 1);
        for (const _ of v.msg) out.msgCodePoints++;
        slowest.push({ id: v.id, ms: v.ms });
      }
    }
    at = next;
  }
  slowest.sort((a, b) => b.ms - a.ms || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  out.slowest = slowest.slice(0, 10);
  out.byService = Object.fromEntries(services);
  out.byHour = Object.fromEntries(hours);
  return out;
}

for (const file of process.argv.slice(2)) {
  const data = readFileSync(file);
  console.log(JSON.stringify(summarise(file.endsWith('.gz') ? gunzipSync(data) : data)));
}
