// The steps of reading a line of known shape, byte by byte, with no string made.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
const ZERO = 0x30;
const MAX_EXACT_DIGITS = 15;

/**
 * Walks over JSON bytes. Each step moves on and says true, or says false when the bytes are not what was expected; the
 * scanner is of no use then until the next start.
 *
 * No step needs a check for the end of the bytes as long as they end with a control character such as LF: nothing that is
 * scanned for holds one.
 */
export class Scanner {
  #bytes = Buffer.alloc(0);
  at = 0; // the next byte
  value = 0; // of the last integer
  stringStart = 0; // of the last string, without quotes
  stringEnd = 0;
  codePoints = 0; // of the last string, given that it is valid UTF-8

  start(bytes, at) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** @param {Uint8Array} expected */
  literal(expected) {
    const bytes = this.#bytes;
    const at = this.at;
    for (let i = 0; i < expected.length; i++) {
      if (bytes[at + i] !== expected[i]) return false;
    }
    this.at = at + expected.length;
    return true;
  }

  /** An integer from 0 on that a double holds exactly. */
  integer() {
    const bytes = this.#bytes;
    const start = this.at;
    let at = start;
    let value = 0;
    let digit;
    while ((digit = bytes[at] - ZERO) >= 0 && digit <= 9) {
      value = value * 10 + digit;
      at += 1;
    }
    const digits = at - start;
    if (digits === 0 || digits > MAX_EXACT_DIGITS) return false;
    if (digits > 1 && bytes[start] === ZERO) return false; // JSON has no leading zeros
    this.value = value;
    this.at = at;
    return true;
  }

  /** A string without escapes, from behind its opening quote to behind the closing one. */
  string() {
    const bytes = this.#bytes;
    const start = this.at;
    let at = start;
    let codePoints = 0;
    let byte;
    while ((byte = bytes[at]) !== QUOTE) {
      if (byte < FIRST_PRINTABLE || byte === BACKSLASH) return false;
      if ((byte & 0xc0) !== 0x80) codePoints += 1; // all but continuation bytes
      at += 1;
    }
    this.stringStart = start;
    this.stringEnd = at;
    this.codePoints = codePoints;
    this.at = at + 1;
    return true;
  }
}
