// What a request for a rebuild asks for: cells in the order of the ring, with their targets.

const MAX_CELLS = 250_000;
const MAX_ITERATIONS = 1_000_000;
const MAX_ID = 2_147_483_647;
const MAX_COUNT = 1_000_000;
const MIN_MULTIPLIER = 10_000; // ten-thousandths
const MAX_MULTIPLIER = 50_000;

const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;

// More than MAX_CELLS; id · INDEX_SPAN + index is below 2^49, so a double holds it exactly.
const INDEX_SPAN = 2 ** 18;

// Twice what the largest table has. JSON.parse makes some sixty bytes of each value, so 16 MB of "{},{},{}," become 350 MB of
// objects, and a thread that runs out of memory takes the whole process with it.
const MAX_VALUES = 2_000_000;

/** The body breaks the contract; the message says how. */
export class InvalidRebuild extends Error {}

/**
 * @param {Uint8Array} body
 * @returns {{ ids: Int32Array, targets: Int32Array, iterations: number }} ids ascending, targets of the same cells
 */
export function parseRebuild(body) {
  const { cells, iterations } = parseObject(body);
  if (!isWhole(iterations, MAX_ITERATIONS) || iterations === 0) {
    throw new InvalidRebuild(`iterations must be a whole number from 1 to ${MAX_ITERATIONS}`);
  }
  if (!Array.isArray(cells) || cells.length === 0 || cells.length > MAX_CELLS) {
    throw new InvalidRebuild(`cells must be an array of 1 to ${MAX_CELLS} objects`);
  }

  // One number for id and index: a typed array of numbers sorts many times as fast as an array of objects with a
  // function to compare them.
  const order = new Float64Array(cells.length);
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i];
    if (!isCell(cell)) throw new InvalidRebuild(`cells[${i}] is not a cell`);
    order[i] = cell.id * INDEX_SPAN + i;
  }
  order.sort();

  const ids = new Int32Array(cells.length);
  const targets = new Int32Array(cells.length);
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[order[i] % INDEX_SPAN];
    if (i > 0 && cell.id === ids[i - 1]) throw new InvalidRebuild(`cell ${cell.id} is there twice`);
    ids[i] = cell.id;
    targets[i] = targetOf(cell);
  }
  return { ids, targets, iterations };
}

function parseObject(body) {
  if (countValues(body) > MAX_VALUES) throw new InvalidRebuild(`The body has more than ${MAX_VALUES} values`);
  let value;
  try {
    value = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
  } catch {
    throw new InvalidRebuild('The body is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw new InvalidRebuild('The body is not an object');
  return value;
}

// At least as many as there are: each value but the first comes behind one of these characters.
function countValues(json) {
  let count = 1;
  for (const byte of json) {
    if (byte === COMMA || byte === OPEN_ARRAY || byte === OPEN_OBJECT) count += 1;
  }
  return count;
}

function isCell(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    isWhole(value.id, MAX_ID) &&
    isWhole(value.demand, MAX_COUNT) &&
    isWhole(value.supply, MAX_COUNT)
  );
}

function isWhole(value, max) {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

function targetOf({ demand, supply }) {
  // Up to 10^10, so no bitwise operators here.
  const target = Math.floor((10_000 * demand) / Math.max(supply, 1));
  return Math.min(MAX_MULTIPLIER, Math.max(MIN_MULTIPLIER, target));
}
