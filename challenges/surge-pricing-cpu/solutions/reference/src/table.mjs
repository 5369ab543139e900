// A surge table and the quotes that it gives.

import { Problem } from './http.mjs';

const NO_SURGE = 10_000; // ten-thousandths
const MAX_CELL = 2_147_483_647;
const MAX_BASE_CENTS = 100_000_000;

/** Never changes once it is made: a rebuild makes another one. */
export class SurgeTable {
  #ids;
  #multipliers;

  /**
   * @param {number} epoch
   * @param {Int32Array} ids ascending
   * @param {Int32Array} multipliers of the same cells, in ten-thousandths
   */
  constructor(epoch, ids, multipliers) {
    this.epoch = epoch;
    this.#ids = ids;
    this.#multipliers = multipliers;
  }

  static empty() {
    return new SurgeTable(0, new Int32Array(0), new Int32Array(0));
  }

  /** @param {unknown} order the body of a request for a quote */
  quote(order) {
    const cell = order?.cell;
    const baseCents = order?.baseCents;
    if (!isWhole(cell, MAX_CELL)) throw new Problem(400, `cell must be a whole number from 0 to ${MAX_CELL}`);
    if (!isWhole(baseCents, MAX_BASE_CENTS)) {
      throw new Problem(400, `baseCents must be a whole number from 0 to ${MAX_BASE_CENTS}`);
    }
    const multiplier = this.#multiplierOf(cell);
    return {
      cents: Math.floor((baseCents * multiplier + 5000) / 10_000),
      multiplier: multiplier / 10_000,
      epoch: this.epoch,
    };
  }

  // By halves, on what the worker sorted anyway. A Map of 250,000 entries would have to be made here, on the event loop.
  #multiplierOf(cell) {
    const ids = this.#ids;
    let low = 0;
    let high = ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ids[middle] < cell) low = middle + 1;
      else high = middle;
    }
    return ids[low] === cell ? this.#multipliers[low] : NO_SURGE;
  }
}

function isWhole(value, max) {
  return Number.isInteger(value) && value >= 0 && value <= max;
}
