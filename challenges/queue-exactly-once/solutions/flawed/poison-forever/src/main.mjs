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

// The id and the effect in one statement, which is one transaction.
async function apply(message) {
  const result = await pool.query({
    name: 'apply',
    text: `WITH fresh AS (INSERT INTO done (id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING id)
           UPDATE counters SET total = total + $3 FROM fresh WHERE key = $2`,
    values: [message.id, message.key, message.body.delta],
  });
  stats.applied += result.rowCount;
}

// The fault: a message that nobody can apply is tried for ever, and blocks its key.
async function handle(message) {
  if (!valid(message)) throw new Error(`message ${message.id} has no delta`);
  return apply(message);
}

// The messages of a key one after the other, those of different keys side by side. After a failure the rest of the key is left to come again.
async function batch(messages) {
  const done = [];
  const byKey = Map.groupBy(messages, (m) => m.key);
  await Promise.all([...byKey.values()].map(async (list) => {
    try {
      for (const message of list) {
        await handle(message);
        if (valid(message)) done.push(message.receipt);
      }
    } catch (error) {
      console.error(error.message);
    }
  }));
  if (done.length > 0) await post('/ack', { receipts: done });
}

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
