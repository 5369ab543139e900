// The cells of a body, without ever parsing the whole of it at once: 8 MB in one JSON.parse hold the loop for 100 ms.
//
// The body is cut at commas: those of its outermost object, and those of an array in it, in runs of some KiB. Each piece goes
// through JSON.parse, which remains the judge of what is JSON. To find the commas it is enough to know what is inside a
// string and how deep the brackets are. Whether brackets match is for JSON.parse to say: a piece in which they do not is
// no JSON, and pieces that are JSON make a whole that is.

import { BadInput, isWhole } from './input.ts';
import type { Steps } from './slicer.ts';

const MAX_CELLS = 250_000;
const MAX_ITERATIONS = 1_000_000;
// Deeper than anybody nests. JSON.parse needs memory for each level, and 16 MB of opening brackets would use all of it.
const MAX_DEPTH = 1000;

const BYTES_PER_STEP = 16 * 1024; // scanned in 50 µs, parsed in 150 µs

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const OPENING = Buffer.from('[');
const CLOSING = Buffer.from(']');

/** In the order of the body. */
export type Cells = { ids: Uint32Array; targets: Uint16Array };

export function* readCells(body: Buffer): Steps<{ cells: Cells; iterations: number }> {
  const text = trimmed(body);
  if (text[0] !== OPEN_OBJECT || text.at(-1) !== CLOSE_OBJECT) throw new BadInput('The body is not a JSON object');

  let cells: unknown;
  let iterations: unknown;
  let start = 1;
  while (start < text.length) {
    const end = yield* find(COMMA, text, start, text.length - 1);
    const { name, value } = yield* readField(text.subarray(start, end));
    // Of two fields with the same name the last one counts, as in JSON.parse.
    if (name === 'cells') cells = value;
    if (name === 'iterations') iterations = value;
    start = end + 1;
  }
  if (!(cells instanceof CellList)) throw new BadInput('There are no cells');
  if (!isWhole(iterations, 1, MAX_ITERATIONS)) throw new BadInput('iterations is not a whole number in its range');
  return { cells: cells.finish(), iterations };
}

function* readField(field: Buffer): Steps<{ name: unknown; value: unknown }> {
  const colon = yield* find(COLON, field, 0, field.length);
  const name = parse(field.subarray(0, colon));
  const value = trimmed(field.subarray(colon + 1));
  const isArray = value[0] === OPEN_ARRAY && value.at(-1) === CLOSE_ARRAY;
  if (typeof name !== 'string') throw new BadInput('The body is not JSON');

  if (name === 'cells' && isArray) {
    const list = new CellList();
    yield* readElements(value, (elements) => list.add(elements));
    return { name, value: list };
  }
  // A field that nobody asked for must be JSON too. A long array is checked in pieces; a long string is one long step,
  // of a few milliseconds.
  if (isArray) return { name, value: yield* readElements(value, () => {}) };
  return { name, value: parse(value) };
}

/** Parses an array and hands its elements over, some at a time. */
function* readElements(array: Buffer, take: (elements: unknown[]) => void): Steps<void> {
  const close = array.length - 1;
  if (trimmed(array.subarray(1, close)).length === 0) return;
  let start = 1;
  while (start < array.length) {
    const end = yield* find(COMMA, array, start, close, BYTES_PER_STEP);
    const elements = parse(Buffer.concat([OPENING, array.subarray(start, end), CLOSING])) as unknown[];
    if (elements.length === 0) throw new BadInput('The body is not JSON'); // nothing behind a comma
    take(elements);
    yield;
    start = end + 1;
  }
}

/** Where `byte` is outside of strings and brackets, at least `distance` after `from`; `end` if it is not there. */
function* find(byte: number, text: Buffer, from: number, end: number, distance = 0): Steps<number> {
  let depth = 0;
  let inString = false;
  for (let at = from; at < end; at++) {
    if (at % BYTES_PER_STEP === 0) yield;
    const current = text[at]!;
    if (inString) {
      if (current === BACKSLASH) at += 1;
      else if (current === QUOTE) inString = false;
    } else if (current === QUOTE) {
      inString = true;
    } else if (current === OPEN_OBJECT || current === OPEN_ARRAY) {
      depth += 1;
      if (depth > MAX_DEPTH) throw new BadInput('The body is nested too deeply');
    } else if (current === CLOSE_OBJECT || current === CLOSE_ARRAY) {
      depth -= 1;
    } else if (current === byte && depth === 0 && at >= from + distance) {
      return at;
    }
  }
  return end;
}

class CellList {
  readonly #ids = new Uint32Array(MAX_CELLS);
  readonly #targets = new Uint16Array(MAX_CELLS);
  #length = 0;

  add(elements: unknown[]): void {
    if (this.#length + elements.length > MAX_CELLS) throw new BadInput(`There are more than ${MAX_CELLS} cells`);
    for (const element of elements) {
      const { id, demand, supply } = (element ?? {}) as Record<string, unknown>;
      if (!isWhole(id, 0, 2_147_483_647) || !isWhole(demand, 0, 1_000_000) || !isWhole(supply, 0, 1_000_000)) {
        throw new BadInput(`Cell ${this.#length} is not valid`);
      }
      const target = Math.floor((10_000 * demand) / Math.max(supply, 1));
      this.#ids[this.#length] = id;
      this.#targets[this.#length] = Math.min(50_000, Math.max(10_000, target));
      this.#length += 1;
    }
  }

  finish(): Cells {
    if (this.#length === 0) throw new BadInput('There are no cells');
    return { ids: this.#ids.subarray(0, this.#length), targets: this.#targets.subarray(0, this.#length) };
  }
}

function parse(json: Buffer): unknown {
  try {
    return JSON.parse(json.toString());
  } catch {
    throw new BadInput('The body is not JSON');
  }
}

// Without the white space of JSON around it; String.prototype.trim knows more kinds of it.
function trimmed(text: Buffer): Buffer {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text[start]!)) start += 1;
  while (end > start && isSpace(text[end - 1]!)) end -= 1;
  return text.subarray(start, end);
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
