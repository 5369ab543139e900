// Where the bytes come from. Both inputs are pulled: nothing is read before there is room for it.

import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';

const COMPRESSED_READ = 64 * 1024;
const INFLATED_CHUNK = 128 * 1024;

/** The gzip input ends early or fails its check sum. */
export class DamagedInputError extends Error {}

/**
 * @typedef {object} Input
 * @property {number} bytesTaken bytes of the file taken so far; for gzip, of the compressed file
 * @property {(target: Buffer, offset: number, length: number) => Promise<number>} read
 *   puts 1 … length bytes at target[offset], or returns 0 at the end
 * @property {() => Promise<void>} close
 */

/**
 * @param {string} path gzip when it ends in .gz
 * @returns {Promise<Input>}
 */
export async function openInput(path) {
  const file = await open(path);
  return path.endsWith('.gz') ? new GzipInput(file) : new PlainInput(file);
}

class PlainInput {
  bytesTaken = 0;
  #file;

  constructor(file) {
    this.#file = file;
  }

  async read(target, offset, length) {
    const { bytesRead } = await this.#file.read(target, offset, length);
    this.bytesTaken += bytesRead;
    return bytesRead;
  }

  async close() {
    await this.#file.close();
  }
}

class GzipInput {
  #compressed;
  #chunks;
  #chunk = Buffer.alloc(0);

  constructor(file) {
    this.#compressed = file.createReadStream({ highWaterMark: COMPRESSED_READ });
    // Gunzip goes on to the next member by itself, and fails when the last one is cut off.
    const inflated = createGunzip({ chunkSize: INFLATED_CHUNK });
    pipeline(this.#compressed, inflated, () => {
      // The iterator below reports the error to whoever reads.
    });
    this.#chunks = inflated[Symbol.asyncIterator]();
  }

  get bytesTaken() {
    return this.#compressed.bytesRead;
  }

  async read(target, offset, length) {
    while (this.#chunk.length === 0) {
      const { done, value } = await this.#nextChunk();
      if (done) return 0;
      this.#chunk = value;
    }
    const taken = this.#chunk.copy(target, offset, 0, length);
    this.#chunk = this.#chunk.subarray(taken);
    return taken;
  }

  async #nextChunk() {
    try {
      const next = await this.#chunks.next();
      // zlib finds nothing wrong with no bytes at all, but they are no gzip file either.
      if (next.done && this.bytesTaken === 0) throw new DamagedInputError('gzip input is empty');
      return next;
    } catch (error) {
      if (error.code?.startsWith('Z_')) {
        throw new DamagedInputError(`gzip input is damaged: ${error.message}`, { cause: error });
      }
      throw error;
    }
  }

  async close() {
    this.#compressed.destroy();
  }
}
