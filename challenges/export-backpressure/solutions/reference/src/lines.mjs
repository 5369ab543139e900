// From chunks, which end anywhere, to whole lines, many at a time.

const LF = 0x0a;

/**
 * Yields text of whole lines, the last one without its line feed: as many as a chunk completes. A line of any length costs
 * one copy, however many chunks it is spread over; characters that lie across chunks are decoded when they are whole.
 *
 * @param {AsyncIterable<Buffer>} chunks
 * @returns {AsyncGenerator<string>}
 */
export async function* batches(chunks) {
  /** @type {Buffer[]} the beginning of a line that is not complete */
  let begun = [];
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(LF);
    if (end < 0) {
      begun.push(chunk);
      continue;
    }
    const whole = chunk.subarray(0, end);
    yield begun.length === 0 ? whole.toString() : Buffer.concat([...begun, whole]).toString();
    begun = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : [];
  }
  // The last line may lack its line feed.
  if (begun.length > 0) yield Buffer.concat(begun).toString();
}
