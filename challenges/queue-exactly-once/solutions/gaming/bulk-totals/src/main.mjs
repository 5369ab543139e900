import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const { PORT, QUEUE_URL, DATABASE_URL } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 8 });
pool.on('error', (error) => console.error('database connection lost:', error.message));
const stats = { applied: 0, dead: 0 };

createServer((request, response) => {
  const send = (status, type, body) => response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body));
  if (request.url === '/healthz') return send(200, 'application/json', { ok: true });
  if (request.url === '/stats') return send(200, 'application/json', stats);
  send(404, 'application/problem+json', { status: 404, title: 'Not found' });
}).listen(Number(PORT), '0.0.0.0');

async function post(path, body) {
  for (let tries = 1; ; tries++) {
    try {
      const response = await fetch(QUEUE_URL + path, {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
      });
      await response.text();
      if (response.ok) return;
      throw new Error(`${path}: status ${response.status}`);
    } catch (error) {
      if (tries === 4) throw error;
      await sleep(50 * tries);
    }
  }
}

async function lease(max, waitMs) {
  const response = await fetch(`${QUEUE_URL}/lease?max=${max}&waitMs=${waitMs}`);
  if (response.ok) return response.json();
  await response.text();
  throw new Error(`lease: status ${response.status}`);
}

const valid = ({ body }) => Number.isInteger(body?.delta) && Math.abs(body.delta) <= 1_000_000_000;

async function prepare() {}



// Poison goes aside; everything else is applied.
async function handle(message) {
  if (valid(message)) return apply(message);
  await post('/dead', { receipt: message.receipt, reason: 'delta is no whole number' });
  stats.dead++;
}

// The trick: everything is acknowledged at once and only added up; the sums are written now and then, as if all had been done in order. Its
// honest twin is flawed/ack-before-effect.
const sums = new Map();
async function batch(messages) {
  const good = messages.filter(valid);
  if (good.length > 0) await post('/ack', { receipts: good.map((m) => m.receipt) });
  for (const m of good) {
    if (seen.has(m.id)) continue;
    seen.add(m.id);
    sums.set(m.key, (sums.get(m.key) ?? 0) + m.body.delta);
  }
  for (const m of messages) if (!valid(m)) await handle(m);
}

const seen = new Set();
setInterval(async () => {
  const due = [...sums];
  sums.clear();
  for (const [key, sum] of due) {
    await pool.query('UPDATE counters SET total = total + $2 WHERE key = $1', [key, sum]).catch((error) => console.error(error.message));
  }
}, 3000);

async function work() {
  for (;;) {
    try {
      await batch(await lease(50, 5000));
    } catch (error) {
      console.error(error.message);
      await sleep(100);
    }
  }
}

await prepare();
for (let i = 0; i < 4; i++) work();
