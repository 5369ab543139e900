/**
 * Finds what belongs to a service by the bytes of its name, so that the name is decoded once and not in every line.
 *
 * @template T
 */
export class ServiceIndex {
  #create;
  /** @typedef {{ name: Uint8Array, value: T, next: Entry | undefined }} Entry */
  /** @type {Map<number, Entry>} by hash; entries of one hash are chained */
  #byHash = new Map();

  /** @param {(name: string) => T} create */
  constructor(create) {
    this.#create = create;
  }

  at(bytes, start, end) {
    const hash = hashOf(bytes, start, end);
    const first = this.#byHash.get(hash);
    for (let entry = first; entry !== undefined; entry = entry.next) {
      if (isEqual(entry.name, bytes, start, end)) return entry.value;
    }
    const name = Uint8Array.from(bytes.subarray(start, end));
    const entry = { name, value: this.#create(bytes.utf8Slice(start, end)), next: first };
    this.#byHash.set(hash, entry);
    return entry.value;
  }
}

function hashOf(bytes, start, end) {
  let hash = end - start;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + bytes[at]) | 0;
  return hash;
}

export function isEqual(name, bytes, start, end) {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) {
    if (name[i] !== bytes[start + i]) return false;
  }
  return true;
}
