// From a block of lines to figures.
//
// Nearly every line of a log comes from the same logger and has the same shape. Such lines are read byte by byte, with no
// string and no object made, which is about five times as fast as JSON.parse for each. Whatever is unusual about a line
// (other order of fields, white space, an escape, invalid UTF-8, an error) sends it to JSON.parse, which alone decides what
// a line means.

import { isUtf8 } from 'node:buffer';

import { MAX_LINE_BYTES } from './lines.mjs';
import { Scanner } from './scanner.mjs';
import { isEqual, ServiceIndex } from './services.mjs';

const LF = 0x0a;
const CR = 0x0d;
const UNUSUAL = -1;

const literal = (text) => Uint8Array.from(Buffer.from(text));
const TO_TS = literal('{"ts":');
const TO_SVC = literal(',"svc":"');
const TO_LVL = literal(',"lvl":"');
const TO_MS = literal(',"ms":');
const TO_USER = literal(',"user":"');
const TO_MSG = literal(',"msg":"');
const TO_ID = literal(',"id":"');
const TO_END = literal('}');
const ERROR = literal('error');

export class RecordReader {
  #summary;
  #services;
  #scanner = new Scanner();

  /** @param {import('./summary.mjs').Summary} summary */
  constructor(summary) {
    this.#summary = summary;
    this.#services = new ServiceIndex((name) => summary.service(name));
  }

  /** @param {Buffer} block whole lines, each with its LF */
  readBlock(block) {
    // Checked once for the whole block, so that code points can be counted by their first bytes.
    const valid = isUtf8(block);
    let at = 0;
    while (at < block.length) {
      const next = valid ? this.#readUsual(block, at) : UNUSUAL;
      if (next !== UNUSUAL) {
        at = next;
        continue;
      }
      const lf = block.indexOf(LF, at);
      this.#readAny(block, at, lf);
      at = lf + 1;
    }
  }

  // Reads a line of the usual shape and returns where the next one starts.
  #readUsual(block, start) {
    const scan = this.#scanner;
    scan.start(block, start);
    if (!scan.literal(TO_TS) || !scan.integer()) return UNUSUAL;
    const ts = scan.value;
    if (!scan.literal(TO_SVC) || !scan.string()) return UNUSUAL;
    const svcStart = scan.stringStart;
    const svcEnd = scan.stringEnd;
    if (!scan.literal(TO_LVL) || !scan.string()) return UNUSUAL;
    const isError = isEqual(ERROR, block, scan.stringStart, scan.stringEnd);
    if (!scan.literal(TO_MS) || !scan.integer()) return UNUSUAL;
    const ms = scan.value;
    if (!scan.literal(TO_USER) || !scan.string()) return UNUSUAL;
    if (!scan.literal(TO_MSG) || !scan.string()) return UNUSUAL;
    const msgCodePoints = scan.codePoints;
    if (!scan.literal(TO_ID) || !scan.string()) return UNUSUAL;
    if (!scan.literal(TO_END) || scan.at - start > MAX_LINE_BYTES) return UNUSUAL;
    const lf = block[scan.at] === CR ? scan.at + 1 : scan.at;
    if (block[lf] !== LF) return UNUSUAL;

    const service = this.#services.at(block, svcStart, svcEnd);
    this.#summary.add(service, ts, isError, ms, msgCodePoints);
    if (this.#summary.isSlow(ms)) {
      this.#summary.addSlow(block.utf8Slice(scan.stringStart, scan.stringEnd), ms);
    }
    return lf + 1;
  }

  #readAny(block, start, lf) {
    const end = lf > start && block[lf - 1] === CR ? lf - 1 : lf;
    if (end === start) return;
    const record = end - start > MAX_LINE_BYTES ? undefined : parseRecord(block.utf8Slice(start, end));
    if (record === undefined) {
      this.#summary.addBad();
      return;
    }
    const { ts, svc, lvl, ms, msg, id } = record;
    this.#summary.add(this.#summary.service(svc), ts, lvl === 'error', ms, countCodePoints(msg));
    if (this.#summary.isSlow(ms)) this.#summary.addSlow(id, ms);
  }
}

function parseRecord(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isRecord(value) ? value : undefined;
}

function isRecord(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof value.ts === 'number' &&
    typeof value.ms === 'number' &&
    typeof value.svc === 'string' &&
    typeof value.lvl === 'string' &&
    typeof value.user === 'string' &&
    typeof value.msg === 'string' &&
    typeof value.id === 'string'
  );
}

// As [...text].length, without the array: a message may be 10 MB long.
function countCodePoints(text) {
  let count = text.length;
  for (let i = 1; i < text.length; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xdc00 && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800) count -= 1;
  }
  return count;
}
