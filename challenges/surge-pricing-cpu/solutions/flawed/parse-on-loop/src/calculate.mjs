// A rebuild: parse() makes numbers of the bytes of a body, calculate() makes the finished table of them, which takes seconds.

const MAX_CELLS = 250_000;
const MAX_ITERATIONS = 1_000_000;

export class InvalidRebuild extends Error {}

/** @returns {{ numbers: Float64Array, iterations: number }} id, demand and supply of each cell; NaN for what is no number */
export function parse(bytes) {
  let body;
  try {
    body = JSON.parse(Buffer.from(bytes.buffer).toString());
  } catch {
    throw new InvalidRebuild('The body is not JSON');
  }
  const { cells, iterations } = body ?? {};
  if (!isWhole(iterations, 1, MAX_ITERATIONS)) throw new InvalidRebuild('iterations is out of range');
  if (!Array.isArray(cells) || cells.length < 1 || cells.length > MAX_CELLS) {
    throw new InvalidRebuild('cells must be an array of 1 to 250,000 objects');
  }
  const numbers = new Float64Array(3 * cells.length);
  let i = 0;
  for (const cell of cells) {
    numbers[i++] = number(cell?.id);
    numbers[i++] = number(cell?.demand);
    numbers[i++] = number(cell?.supply);
  }
  return { numbers, iterations };
}

function number(value) {
  return typeof value === 'number' ? value : NaN;
}

/** @returns {{ ids: Int32Array, multipliers: Int32Array, checksum: string }} in ascending order of id */
export function calculate({ numbers, iterations }) {
  const cells = [];
  for (let i = 0; i < numbers.length; i += 3) {
    const cell = { id: numbers[i], demand: numbers[i + 1], supply: numbers[i + 2] };
    if (!isCell(cell)) throw new InvalidRebuild('A cell is not valid');
    cells.push(cell);
  }
  cells.sort((a, b) => a.id - b.id);
  const ids = Int32Array.from(cells, (cell) => cell.id);
  if (ids.some((id, i) => i > 0 && id === ids[i - 1])) throw new InvalidRebuild('A cell is there twice');
  const multipliers = smooth(Int32Array.from(cells, targetOf), iterations);
  return { ids, multipliers, checksum: checksumOf(multipliers) };
}

function isCell(cell) {
  return (
    isWhole(cell.id, 0, 2_147_483_647) && isWhole(cell.demand, 0, 1_000_000) && isWhole(cell.supply, 0, 1_000_000)
  );
}

function isWhole(value, min, max) {
  return Number.isInteger(value) && value >= min && value <= max;
}

function targetOf({ demand, supply }) {
  return Math.min(50_000, Math.max(10_000, Math.floor((10_000 * demand) / Math.max(supply, 1))));
}

function smooth(targets, iterations) {
  const n = targets.length;
  const last = n - 1;
  const ring = new Int32Array(2 * n); // twice, so that (i + j) mod n is i + shift
  ring.set(targets);
  ring.set(targets, n);
  let m = targets.slice();
  let next = new Int32Array(n);
  for (let j = 1; j <= iterations; j++) {
    const shift = j % n;
    let left = m[last];
    let middle = m[0];
    for (let i = 0; i < last; i++) {
      const right = m[i + 1];
      next[i] = (left + 2 * middle + right + 4 * ring[i + shift]) >> 3;
      left = middle;
      middle = right;
    }
    next[last] = (left + 2 * middle + m[0] + 4 * ring[last + shift]) >> 3;
    [m, next] = [next, m];
  }
  return m;
}

function checksumOf(multipliers) {
  let hash = 0x811c9dc5;
  for (const m of multipliers) {
    for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((m >>> shift) & 255), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
