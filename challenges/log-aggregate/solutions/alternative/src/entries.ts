// Entries are found by one sticky regular expression over the block as Latin-1 text: one character a byte, so that no
// character is ever cut and offsets are byte offsets. What it does not match goes through JSON.parse.

import { isUtf8 } from 'node:buffer';

import { type Block, MAX_LINE_BYTES, TOO_LONG } from './blocks.ts';

export type Entry = { ts: number; svc: string; lvl: string; ms: number; id: string; msgCodePoints: number };

/** Counts as a line, but has nothing to add. */
export const BAD = Symbol('bad line');

const INTEGER = String.raw`(0|[1-9]\d{0,14})`;
const STRING = String.raw`"([^"\\\x00-\x1f]*)"`;
const SKIPPED_STRING = String.raw`"[^"\\\x00-\x1f]*"`;
const USUAL_LINE = new RegExp(
  String.raw`\{"ts":${INTEGER},"svc":${STRING},"lvl":${STRING},"ms":${INTEGER},"user":${SKIPPED_STRING},"msg":${STRING},"id":${STRING}\}\r?\n`,
  'y',
);

export function* entriesOf(block: Block): Generator<Entry | typeof BAD> {
  if (block === TOO_LONG) {
    yield BAD;
    return;
  }
  const text = block.latin1Slice();
  const usable = isUtf8(block);
  let at = 0;
  while (at < text.length) {
    USUAL_LINE.lastIndex = at;
    const match = usable ? USUAL_LINE.exec(text) : null;
    if (match !== null && match[0].length <= MAX_LINE_BYTES) {
      at = USUAL_LINE.lastIndex;
      yield usualEntry(match);
      continue;
    }
    const lf = text.indexOf('\n', at);
    const end = lf > at && text[lf - 1] === '\r' ? lf - 1 : lf;
    if (end > at) yield end - at > MAX_LINE_BYTES ? BAD : parseEntry(block.utf8Slice(at, end));
    at = lf + 1;
  }
}

function usualEntry(match: RegExpExecArray): Entry {
  return {
    ts: toInteger(match[1]),
    svc: serviceName(match[2]),
    lvl: match[3],
    ms: toInteger(match[4]),
    id: match[6], // ASCII, as promised
    msgCodePoints: countFirstBytes(match[5]),
  };
}

function parseEntry(text: string): Entry | typeof BAD {
  let value: any;
  try {
    value = JSON.parse(text);
  } catch {
    return BAD;
  }
  if (value === null || typeof value !== 'object') return BAD;
  const { ts, svc, lvl, ms, user, msg, id } = value;
  if (typeof ts !== 'number' || typeof ms !== 'number') return BAD;
  for (const field of [svc, lvl, user, msg, id]) if (typeof field !== 'string') return BAD;
  return { ts, svc, lvl, ms, id, msgCodePoints: countCodePoints(msg) };
}

// Number() of so many digits is a call out of compiled code, which shows at two a line.
function toInteger(digits: string): number {
  let value = 0;
  for (let i = 0; i < digits.length; i++) value = value * 10 + digits.charCodeAt(i) - 48;
  return value;
}

// In UTF-8 every code point has one byte that is no continuation byte.
function countFirstBytes(latin1: string): number {
  let count = 0;
  for (let i = 0; i < latin1.length; i++) if ((latin1.charCodeAt(i) & 0xc0) !== 0x80) count++;
  return count;
}

function countCodePoints(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; count++) i += text.codePointAt(i)! > 0xffff ? 2 : 1;
  return count;
}

// Names in Latin-1 form and decoded: few, and looked up for every line.
const serviceNames = new Map<string, string>();

function serviceName(latin1: string): string {
  let name = serviceNames.get(latin1);
  if (name === undefined) serviceNames.set(latin1, (name = Buffer.from(latin1, 'latin1').toString()));
  return name;
}
