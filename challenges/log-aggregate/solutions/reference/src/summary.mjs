// The figures, and how they are written.

const HOUR_MS = 3_600_000;
const SLOWEST = 10;

/** @typedef {{ count: number, errors: number, sumMs: number, maxMs: number }} ServiceTotals */

export class Summary {
  lines = 0;
  #bad = 0;
  #msgCodePoints = 0;
  /** @type {Map<string, ServiceTotals>} */
  #byService = new Map();
  /** @type {Map<number, { count: number }>} by whole hours since 1970 */
  #byHour = new Map();
  #currentHour = -1;
  #currentHourTotals = { count: 0 };
  /** @type {{ id: string, ms: number }[]} in the order of the result */
  #slowest = [];
  #slowestFloor = -Infinity; // a smaller ms cannot get in

  addBad() {
    this.lines += 1;
    this.#bad += 1;
  }

  /** @returns {ServiceTotals} the one to give to add() for this service */
  service(name) {
    let totals = this.#byService.get(name);
    if (totals === undefined) {
      totals = { count: 0, errors: 0, sumMs: 0, maxMs: 0 };
      this.#byService.set(name, totals);
    }
    return totals;
  }

  /** Adds one good line. Its id is added by addSlow, for the few lines that isSlow is true for. */
  add(service, ts, isError, ms, msgCodePoints) {
    this.lines += 1;
    this.#msgCodePoints += msgCodePoints;
    service.count += 1;
    if (isError) service.errors += 1;
    service.sumMs += ms;
    if (ms > service.maxMs) service.maxMs = ms;

    const hour = Math.floor(ts / HOUR_MS);
    if (hour !== this.#currentHour) this.#enterHour(hour);
    this.#currentHourTotals.count += 1;
  }

  /** Says whether a line that took `ms` may be among the slowest, so that its id is worth decoding. */
  isSlow(ms) {
    return ms >= this.#slowestFloor;
  }

  addSlow(id, ms) {
    const list = this.#slowest;
    let at = list.length;
    while (at > 0 && (ms > list[at - 1].ms || (ms === list[at - 1].ms && id < list[at - 1].id))) at -= 1;
    list.splice(at, 0, { id, ms });
    if (list.length > SLOWEST) list.pop();
    if (list.length === SLOWEST) this.#slowestFloor = list[SLOWEST - 1].ms;
  }

  // Logs are nearly sorted by time, so the hour is looked up when it changes and not for every line.
  #enterHour(hour) {
    let totals = this.#byHour.get(hour);
    if (totals === undefined) {
      totals = { count: 0 };
      this.#byHour.set(hour, totals);
    }
    this.#currentHour = hour;
    this.#currentHourTotals = totals;
  }

  toJSON() {
    const hours = Array.from(this.#byHour, ([hour, { count }]) => [hourName(hour), count]);
    return {
      lines: this.lines,
      bad: this.#bad,
      // fromEntries defines properties and assigns none, so a service may be called __proto__.
      byService: Object.fromEntries(this.#byService),
      byHour: Object.fromEntries(hours),
      slowest: this.#slowest,
      msgCodePoints: this.#msgCodePoints,
    };
  }
}

function hourName(hour) {
  return new Date(hour * HOUR_MS).toISOString().slice(0, 'YYYY-MM-DDTHH'.length);
}
