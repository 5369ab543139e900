// The part that costs the time: cells × iterations steps.

/**
 * Smooths the targets along the ring. Iteration j makes of each position
 *
 *     m'[i] = floor((m[i−1] + 2·m[i] + m[i+1] + 4·t[(i + j) mod n]) / 8)
 *
 * with m = t before the first.
 *
 * @param {Int32Array} targets 10,000 to 50,000 each, so that the sum of eight fits into 32 bits
 * @param {number} iterations
 * @returns {Int32Array}
 */
export function smooth(targets, iterations) {
  const n = targets.length;
  const last = n - 1;
  const m = targets.slice();

  // Twice the ring in a row: what begins at j mod n can be read to its end without another modulo.
  const ring = new Int32Array(2 * n);
  ring.set(targets);
  ring.set(targets, n);

  let start = 0; // j mod n
  for (let j = 1; j <= iterations; j++) {
    start = start === last ? 0 : start + 1;

    // In place: the old values that are overwritten too early are held in `first`, `left` and `middle`.
    const first = m[0];
    let left = m[last];
    let middle = first;
    for (let i = 0; i < last; i++) {
      const right = m[i + 1];
      // Nothing is negative, so a shift is the floor of a division, and everything stays a 32-bit integer.
      m[i] = (left + 2 * middle + right + 4 * ring[start + i]) >> 3;
      left = middle;
      middle = right;
    }
    m[last] = (left + 2 * middle + first + 4 * ring[start + last]) >> 3;
  }
  return m;
}
