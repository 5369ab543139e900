import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';

const CHUNK_BYTES = 128 * 1024;

export type Source = { chunks: AsyncIterable<Buffer>; bytesTaken: () => number };

/** The bytes of a file, unpacked when its name ends in .gz. An error while reading or unpacking ends the iteration. */
export function openSource(path: string): Source {
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const bytesTaken = () => file.bytesRead;
  if (!path.endsWith('.gz')) return { chunks: file, bytesTaken };

  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  // Unlike pipe(), pipeline() hands an error of the file on to gunzip, whose reader then sees it.
  pipeline(file, gunzip, () => {});
  return { chunks: gunzip, bytesTaken };
}
