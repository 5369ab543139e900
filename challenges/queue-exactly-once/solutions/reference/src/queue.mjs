import { setTimeout as sleep } from 'node:timers/promises';

// The broker, as its contract says. Every call may fail; settling a message is tried a few times, because otherwise it comes again in 5 s.
export class Queue {
  #url;

  constructor(url) {
    this.#url = url;
  }

  async lease(max, waitMs) {
    const response = await fetch(`${this.#url}/lease?max=${max}&waitMs=${waitMs}`, { signal: AbortSignal.timeout(waitMs + 5000) });
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`lease: status ${response.status}`);
    }
    return response.json();
  }

  ack(receipts) {
    return this.#post('/ack', { receipts });
  }

  extend(receipts) {
    return this.#post('/extend', { receipts });
  }

  dead(receipt, reason) {
    return this.#post('/dead', { receipt, reason });
  }

  async #post(path, body, tries = 4) {
    for (let n = 1; ; n++) {
      try {
        const response = await fetch(this.#url + path, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
          signal: AbortSignal.timeout(5000),
        });
        await response.body?.cancel();
        if (response.ok) return;
        throw new Error(`${path}: status ${response.status}`);
      } catch (error) {
        if (n === tries) throw error;
        await sleep(20 * 2 ** n * Math.random());
      }
    }
  }
}
