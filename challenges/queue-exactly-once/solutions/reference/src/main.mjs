import pg from 'pg';
import { Queue } from './queue.mjs';
import { Ledger } from './ledger.mjs';
import { Consumer } from './consumer.mjs';
import { serve } from './http.mjs';

// A failed connection of the pool is replaced at its next use; without a listener it would end the process.
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4 });
pool.on('error', (error) => console.error('database connection lost:', error.message));

const ledger = new Ledger(pool);
const consumer = new Consumer(new Queue(process.env.QUEUE_URL), ledger);

// Health does not depend on the database: the server answers before it is there.
serve(Number(process.env.PORT), consumer.stats);
await ledger.prepare();
for (let i = 0; i < 3; i++) consumer.run();
