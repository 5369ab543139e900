import { setTimeout as sleep } from 'node:timers/promises';

// One statement, so one transaction: what is noted as applied and what is applied cannot come apart, wherever we are killed.
// A message that another connection is applying at this moment makes the INSERT wait for that one's commit, and then it is no longer fresh.
const APPLY = `
  WITH batch AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) AS b (id, key, delta)
  ), fresh AS (
    INSERT INTO applied (id) SELECT id FROM batch ORDER BY key, id ON CONFLICT DO NOTHING RETURNING id
  ), sums AS (
    SELECT key, sum(delta) AS delta, count(*) AS n FROM batch JOIN fresh USING (id) GROUP BY key
  ), changed AS (
    UPDATE counters SET total = total + sums.delta FROM sums WHERE counters.key = sums.key RETURNING sums.n
  )
  SELECT coalesce(sum(n), 0)::int AS applied FROM changed`;

export class Ledger {
  #pool;

  constructor(pool) {
    this.#pool = pool;
  }

  async prepare() {
    for (;;) {
      try {
        await this.#pool.query('CREATE TABLE IF NOT EXISTS applied (id text PRIMARY KEY)');
        return;
      } catch (error) {
        console.error('database is not there yet:', error.message);
        await sleep(200);
      }
    }
  }

  // Applies messages, each id once, and says how many of them were new.
  async apply(messages) {
    const result = await this.#pool.query({
      name: 'apply',
      text: APPLY,
      values: [messages.map((m) => m.id), messages.map((m) => m.key), messages.map((m) => m.body.delta)],
    });
    return result.rows[0].applied;
  }
}
