const LF = 0x0a;
const NEWLINE = Buffer.of(LF);

export const MAX_LINE_BYTES = 16 * 1024 * 1024;

/** A line above MAX_LINE_BYTES, of which nothing is kept. */
export const TOO_LONG = Symbol('line too long');

export type Block = Buffer | typeof TOO_LONG;

/** Regroups chunks into blocks of whole lines, each line ended by LF. Holds no more than one line and one chunk. */
export async function* blocksOfLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Block> {
  let pieces: Buffer[] = []; // of the line at hand
  let length = 0;
  let skipping = false;

  for await (let chunk of chunks) {
    if (skipping) {
      const lf = chunk.indexOf(LF);
      if (lf === -1) continue;
      chunk = chunk.subarray(lf + 1);
      skipping = false;
    }

    const lastLF = chunk.lastIndexOf(LF);
    if (lastLF !== -1) {
      yield Buffer.concat([...pieces, chunk.subarray(0, lastLF + 1)]);
      pieces = [];
      length = 0;
    }
    const rest = chunk.subarray(lastLF + 1);
    if (rest.length === 0) continue;
    pieces.push(rest);
    length += rest.length;

    // The last byte may be a CR, which does not count.
    if (length > MAX_LINE_BYTES + 1) {
      yield TOO_LONG;
      pieces = [];
      length = 0;
      skipping = true;
    }
  }

  if (length > 0) yield Buffer.concat([...pieces, NEWLINE]);
}
