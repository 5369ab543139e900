import postgres from 'postgres';
import { Broker } from './broker.ts';
import { Positions } from './positions.ts';
import { answer } from './answer.ts';

const sql = postgres(process.env.DATABASE_URL!, { max: 6, onnotice: () => {}, connection: { application_name: 'consumer' } });
const broker = new Broker(process.env.QUEUE_URL!);
const positions = new Positions(sql);
const stats = { applied: 0, dead: 0, failed: 0 };

answer(Number(process.env.PORT), () => stats);

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function forever(step: () => Promise<void>): Promise<never> {
  for (;;) {
    try {
      await step();
    } catch (error) {
      stats.failed++;
      console.error(error instanceof Error ? error.message : error);
      await pause(50);
    }
  }
}

async function consume(): Promise<void> {
  const batch = await broker.lease(80, 8000);
  if (batch.length === 0) return;
  await broker.holding(batch, async () => {
    const { applied, poison } = await positions.advance(batch);
    stats.applied += applied;
    const settled = batch.filter((m) => !poison.includes(m));
    await Promise.all([broker.ack(settled), ...poison.map((m) => broker.dead(m, 'not applicable'))]);
    stats.dead += poison.length;
  });
}

for (let ready = false; !ready; ) {
  ready = await positions.prepare().then(() => true, () => pause(100).then(() => false));
}
for (let i = 0; i < 4; i++) void forever(consume);
