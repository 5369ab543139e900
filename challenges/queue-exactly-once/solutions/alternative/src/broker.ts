export type Message = { id: string; key: string; n: number; body: { delta?: unknown }; receipt: string; attempt: number };

/** The broker. It may fail at any time; what is not settled comes again. */
export class Broker {
  private readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  async lease(max: number, waitMs: number): Promise<Message[]> {
    return this.call(`/lease?max=${max}&waitMs=${waitMs}`, undefined, 1);
  }

  async ack(messages: Message[]): Promise<void> {
    if (messages.length > 0) await this.call('/ack', { receipts: messages.map((m) => m.receipt) }, 3);
  }

  async dead(message: Message, reason: string): Promise<void> {
    await this.call('/dead', { receipt: message.receipt, reason }, 3);
  }

  /** Keeps messages leased for as long as the work takes. */
  async holding(messages: Message[], work: () => Promise<void>): Promise<void> {
    const receipts = messages.map((m) => m.receipt);
    const timer = setInterval(() => void this.call('/extend', { receipts }, 1).catch(() => {}), 2000);
    try {
      await work();
    } finally {
      clearInterval(timer);
    }
  }

  private async call(path: string, body: unknown, tries: number): Promise<any> {
    const init = body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    for (let left = tries; ; ) {
      const response = await fetch(this.url + path, init);
      const text = await response.text();
      if (response.ok) return JSON.parse(text);
      if (--left === 0) throw new Error(`${path.split('?')[0]}: status ${response.status}`);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
}
