import { Transform } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

import { csvLine, HEADER, ndjsonLine } from './rows.mjs';

/** Turns chunks of NDJSON into the lines of an export, all that a chunk completes at a time. */
export class Converter extends Transform {
  #decoder = new StringDecoder('utf8');
  #rest = '';
  #convert;

  constructor(format) {
    super();
    this.#convert = format === 'csv' ? csvLine : ndjsonLine;
    if (format === 'csv') this.push(HEADER);
  }

  _transform(chunk, encoding, done) {
    try {
      const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
      this.#rest = lines.pop();
      done(null, lines.map(this.#convert).join(''));
    } catch (error) {
      done(error);
    }
  }

  _flush(done) {
    try {
      done(null, this.#rest === '' ? '' : this.#convert(this.#rest));
    } catch (error) {
      done(error);
    }
  }
}
