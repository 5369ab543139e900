import { BAD, type Entry } from './entries.ts';

const HOUR_MS = 3_600_000;
const SLOWEST = 10;

type Service = { count: number; errors: number; sumMs: number; maxMs: number };
type Slow = Pick<Entry, 'id' | 'ms'>;

export class Totals {
  lines = 0;
  bad = 0;
  msgCodePoints = 0;
  services = new Map<string, Service>();
  hours = new Map<number, number>();
  slowest: Slow[] = [];

  add(entry: Entry | typeof BAD): void {
    this.lines++;
    if (entry === BAD) {
      this.bad++;
      return;
    }
    const { svc, ts, ms } = entry;
    let service = this.services.get(svc);
    if (!service) this.services.set(svc, (service = { count: 0, errors: 0, sumMs: 0, maxMs: 0 }));
    service.count++;
    if (entry.lvl === 'error') service.errors++;
    service.sumMs += ms;
    service.maxMs = Math.max(service.maxMs, ms);

    const hour = Math.floor(ts / HOUR_MS);
    this.hours.set(hour, (this.hours.get(hour) ?? 0) + 1);
    this.msgCodePoints += entry.msgCodePoints;
    if (this.slowest.length < SLOWEST || compareSlow(entry, this.slowest[SLOWEST - 1]) < 0) this.addSlow(entry);
  }

  addSlow({ id, ms }: Slow): void {
    this.slowest.push({ id, ms });
    this.slowest.sort(compareSlow);
    this.slowest.length = Math.min(this.slowest.length, SLOWEST);
  }

  toJSON() {
    return {
      lines: this.lines,
      bad: this.bad,
      byService: Object.fromEntries(this.services),
      byHour: Object.fromEntries([...this.hours].map(([hour, count]) => [hourName(hour), count])),
      slowest: this.slowest,
      msgCodePoints: this.msgCodePoints,
    };
  }
}

function compareSlow(a: Slow, b: Slow): number {
  return b.ms - a.ms || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

function hourName(hour: number): string {
  return new Date(hour * HOUR_MS).toISOString().slice(0, 13);
}
