import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const { PORT, QUEUE_URL, DATABASE_URL } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 5 });
pool.on('error', (error) => console.error('database connection lost:', error.message));

createServer((request, response) => {
  const known = { '/healthz': { ok: true }, '/stats': { applied: 0, dead: 0 } }[request.url];
  response.writeHead(known ? 200 : 404, { 'content-type': known ? 'application/json' : 'application/problem+json' });
  response.end(JSON.stringify(known ?? { status: 404, title: 'Not found' }));
}).listen(Number(PORT), '0.0.0.0');

// It takes messages, shows them, and does nothing with them: they come again in five seconds.
for (;;) {
  try {
    const response = await fetch(`${QUEUE_URL}/lease?max=10&waitMs=5000`);
    if (!response.ok) throw new Error(`lease: status ${response.status}`);
    for (const message of await response.json()) {
      const { rows } = await pool.query('SELECT total FROM counters WHERE key = $1', [message.key]);
      console.log(message, rows[0]);
    }
    await sleep(1000);
  } catch (error) {
    console.error(error.message);
    await sleep(1000);
  }
}
