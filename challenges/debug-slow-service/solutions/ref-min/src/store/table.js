/** Rows in memory with a primary key and indexes. Rows are frozen; put replaces one. */
export class Table {
  #rows = new Map();
  #indexes = new Map();

  constructor(name, { indexes = [] } = {}) {
    this.name = name;
    for (const column of indexes) {
      this.#indexes.set(column, new Map());
    }
  }

  get size() {
    return this.#rows.size;
  }

  /** Adds a row, or replaces the one with its id. */
  put(row) {
    const old = this.#rows.get(row.id);
    if (old !== undefined) {
      this.#forget(old);
    }
    const kept = Object.freeze(row);
    this.#rows.set(kept.id, kept);
    for (const [column, index] of this.#indexes) {
      const rows = index.get(kept[column]);
      if (rows === undefined) {
        index.set(kept[column], [kept]);
      } else {
        rows.push(kept);
      }
    }
  }

  #forget(row) {
    for (const [column, index] of this.#indexes) {
      const left = index.get(row[column]).filter((other) => other !== row);
      if (left.length === 0) {
        index.delete(row[column]);
      } else {
        index.set(row[column], left);
      }
    }
  }

  get(id) {
    return this.#rows.get(id);
  }

  /** All rows, in the order in which their ids were first put. */
  all() {
    return this.#rows.values();
  }

  /** Rows whose columns have these values: by an index where there is one, and by looking at every row where there is none. */
  find(where) {
    const conditions = Object.entries(where);
    const indexed = conditions.find(([column]) => this.#indexes.has(column));
    const candidates = indexed === undefined ? this.#rows.values() : (this.#indexes.get(indexed[0]).get(indexed[1]) ?? []);
    const found = [];
    for (const row of candidates) {
      if (conditions.every(([column, value]) => row[column] === value)) {
        found.push(row);
      }
    }
    return found;
  }
}
