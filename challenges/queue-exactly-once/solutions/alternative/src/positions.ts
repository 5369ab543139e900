import type { Sql } from 'postgres';
import type { Message } from './broker.ts';

const applicable = (m: Message) => Number.isInteger(m.body.delta) && Math.abs(m.body.delta as number) <= 1_000_000_000;

/**
 * How far each key is. The broker gives out the messages of a key in order, so one number tells what has been applied: everything up to it.
 * The row of a key is locked while its messages are applied.
 */
export class Positions {
  private readonly sql: Sql;

  constructor(sql: Sql) {
    this.sql = sql;
  }

  async prepare(): Promise<void> {
    await this.sql`CREATE TABLE IF NOT EXISTS positions (key text PRIMARY KEY, n int NOT NULL)`;
    await this.sql`INSERT INTO positions (key, n) SELECT key, 0 FROM counters ON CONFLICT DO NOTHING`;
  }

  async advance(batch: Message[]): Promise<{ applied: number; poison: Message[] }> {
    const keys = [...new Set(batch.map((m) => m.key))].sort();
    const poison = batch.filter((m) => !applicable(m));
    const applied = await this.sql.begin(async (sql) => {
      const rows = await sql<{ key: string; n: number }[]>`
        SELECT key, n FROM positions WHERE key IN ${sql(keys)} ORDER BY key FOR UPDATE`;
      const at = new Map(rows.map((row) => [row.key, row.n]));
      const sums = new Map<string, number>();
      let count = 0;
      for (const m of batch) {
        if (m.n <= (at.get(m.key) ?? 0)) continue; // it was applied before
        at.set(m.key, m.n);
        if (!applicable(m)) continue;
        sums.set(m.key, (sums.get(m.key) ?? 0) + (m.body.delta as number));
        count++;
      }
      const changes = keys.map((key) => ({ key, n: at.get(key) ?? 0, sum: sums.get(key) ?? 0 }));
      await sql`
        WITH change AS (SELECT * FROM jsonb_to_recordset(${sql.json(changes)}) AS c (key text, n int, sum bigint)),
             moved AS (UPDATE positions SET n = change.n FROM change WHERE positions.key = change.key)
        UPDATE counters SET total = total + change.sum FROM change WHERE counters.key = change.key AND change.sum <> 0`;
      return count;
    });
    return { applied, poison };
  }
}
