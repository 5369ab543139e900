import { setTimeout as sleep } from 'node:timers/promises';

const LEASE_MS = 5000;
const MOST = 1_000_000_000;
const TRIES = 5;

const valid = (message) => Number.isInteger(message.body?.delta) && Math.abs(message.body.delta) <= MOST;

// Takes a batch, applies it, and only then acknowledges it. Whatever goes wrong in between, the broker gives the batch out again, and what
// was applied already is known by its id.
export class Consumer {
  #queue;
  #ledger;
  stats = { applied: 0, repeated: 0, dead: 0 };

  constructor(queue, ledger) {
    this.#queue = queue;
    this.#ledger = ledger;
  }

  async run() {
    for (;;) {
      try {
        const messages = await this.#queue.lease(100, 10_000);
        if (messages.length > 0) await this.#handle(messages);
      } catch (error) {
        console.error(error.message);
        await sleep(50 + 100 * Math.random());
      }
    }
  }

  async #handle(messages) {
    const receipts = messages.map((m) => m.receipt);
    const keep = setInterval(() => this.#queue.extend(receipts).catch(() => {}), LEASE_MS / 2);
    try {
      const poison = messages.filter((m) => !valid(m));
      // A copy may be in the same answer as its original.
      const good = [...new Map(messages.filter(valid).map((m) => [m.id, m])).values()];
      if (good.length > 0) {
        const fresh = await this.#apply(good);
        this.stats.applied += fresh;
        this.stats.repeated += messages.length - poison.length - fresh;
      }
      await Promise.all([
        good.length > 0 && this.#queue.ack(messages.filter(valid).map((m) => m.receipt)),
        ...poison.map((m) => this.#queue.dead(m.receipt, 'delta is no whole number from -1,000,000,000 to 1,000,000,000')),
      ]);
      this.stats.dead += poison.length;
    } finally {
      clearInterval(keep);
    }
  }

  async #apply(messages) {
    for (let n = 1; ; n++) {
      try {
        return await this.#ledger.apply(messages);
      } catch (error) {
        if (n === TRIES) throw error;
        await sleep(20 * 2 ** n * Math.random());
      }
    }
  }
}
