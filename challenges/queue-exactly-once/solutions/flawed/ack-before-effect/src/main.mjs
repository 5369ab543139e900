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

async function prepare() {
  for (;;) {
    try {
      return await pool.query('CREATE TABLE IF NOT EXISTS done (id text PRIMARY KEY)');
    } catch (error) {
      console.error(error.message);
      await sleep(200);
    }
  }
}

// Ids and effects in one statement, which is one transaction.
async function apply(messages) {
  const result = await pool.query({
    name: 'apply',
    text: `WITH batch AS (SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) AS b (id, key, delta)),
                fresh AS (INSERT INTO done (id) SELECT id FROM batch ON CONFLICT DO NOTHING RETURNING id),
                sums AS (SELECT key, sum(delta) AS delta FROM batch JOIN fresh USING (id) GROUP BY key)
           UPDATE counters SET total = total + sums.delta FROM sums WHERE counters.key = sums.key`,
    values: [messages.map((m) => m.id), messages.map((m) => m.key), messages.map((m) => m.body.delta)],
  });
  stats.applied += result.rowCount;
}

async function bury(message) {
  await post('/dead', { receipt: message.receipt, reason: 'delta is no whole number' });
  stats.dead++;
}

// The fault: the broker forgets messages before they have had their effect.
async function batch(messages) {
  const good = messages.filter(valid);
  const once = [...new Map(good.map((m) => [m.id, m])).values()];
  if (good.length > 0) await post('/ack', { receipts: good.map((m) => m.receipt) });
  for (let tries = 1; once.length > 0; tries++) {
    try {
      await apply(once);
      break;
    } catch (error) {
      console.error(error.message);
      if (tries === 5) break;
    }
  }
  await Promise.all(messages.filter((m) => !valid(m)).map(bury));
}

// One worker, because nothing else keeps the order of a key once it has been acknowledged.
async function work() {
  for (;;) {
    try {
      await batch(await lease(100, 5000));
    } catch (error) {
      console.error(error.message);
      await sleep(100);
    }
  }
}

await prepare();
work();
