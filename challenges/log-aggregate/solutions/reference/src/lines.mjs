// From reads of any size to blocks of whole lines.

const LF = 0x0a;

/** A longer line (without LF and one CR before it) is bad, whatever is in it. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;

// One read, and so the most work between two turns of the event loop. Larger is hardly faster; 256 KiB of the
// slowest lines (all through JSON.parse) keep the loop for about 5 ms.
const READ_BYTES = 256 * 1024;
const USUAL_BUFFER_BYTES = 2 * READ_BYTES;

/**
 * Reads `input` to its end and hands over every line once: in blocks of whole lines, each line ended by LF, in order,
 * or as a call of tooLong. A block is valid only during the call, for the one buffer is used again.
 *
 * Memory: one buffer, as large as the longest line at hand, never above MAX_LINE_BYTES and two reads.
 *
 * @param {import('./input.mjs').Input} input
 * @param {{ block: (lines: Buffer) => void, tooLong: () => void }} sink
 */
export async function readLineBlocks(input, sink) {
  let buffer = Buffer.allocUnsafe(USUAL_BUFFER_BYTES);
  let held = 0; // bytes of an unfinished line, at the start of the buffer
  let skipping = false; // inside a line that is too long

  for (;;) {
    buffer = withRoom(buffer, held);
    const count = await input.read(buffer, held, READ_BYTES);
    if (count === 0) break;
    const end = held + count;

    let start = 0;
    if (skipping) {
      start = buffer.subarray(0, end).indexOf(LF) + 1;
      if (start === 0) continue;
      skipping = false;
    }

    // Only the new bytes are searched, or a line of many reads would cost the square of its length.
    const lastLF = buffer.subarray(held, end).lastIndexOf(LF);
    const rest = lastLF === -1 ? start : held + lastLF + 1;
    if (rest > start) sink.block(buffer.subarray(start, rest));
    buffer.copyWithin(0, rest, end);
    held = end - rest;

    // One byte more is allowed here, because it may be the CR that will not count.
    if (held > MAX_LINE_BYTES + 1) {
      sink.tooLong();
      skipping = true;
      held = 0;
    }
  }

  if (held > 0) {
    buffer[held] = LF; // there is room: the last read found some and used none of it
    sink.block(buffer.subarray(0, held + 1));
  }
}

// A buffer with the same held bytes and room for one read; back to the usual size once a long line is gone.
function withRoom(buffer, held) {
  const needed = held + READ_BYTES;
  let size = buffer.length;
  if (needed > size) size = Math.min(2 * needed, MAX_LINE_BYTES + 2 * READ_BYTES);
  else if (needed <= USUAL_BUFFER_BYTES) size = USUAL_BUFFER_BYTES;
  if (size === buffer.length) return buffer;

  const resized = Buffer.allocUnsafe(size);
  buffer.copy(resized, 0, 0, held);
  return resized;
}
