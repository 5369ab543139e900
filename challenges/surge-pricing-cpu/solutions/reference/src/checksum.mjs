// FNV-1a with 32 bits (Fowler, Noll, Vo), over numbers of four bytes, least significant first.

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * @param {Int32Array} values
 * @returns {string} eight lower-case hexadecimal digits
 */
export function checksumOf(values) {
  let hash = OFFSET_BASIS;
  for (const value of values) {
    for (let shift = 0; shift < 32; shift += 8) {
      // A product of two numbers of 32 bits does not fit into a double; imul keeps the low 32 bits of it.
      hash = Math.imul(hash ^ ((value >>> shift) & 0xff), PRIME);
    }
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
