import { Transform } from 'node:stream';

const COLUMNS = ['id', 'placedAt', 'customer', 'city', 'product', 'quantity', 'price', 'gift', 'note'];

/** Hands on one line after the other. */
class Lines extends Transform {
  rest = '';

  constructor() {
    super({ decodeStrings: false, encoding: 'utf8' });
  }

  _transform(text, encoding, callback) {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop();
    try {
      for (const line of lines) this.line(line);
      callback();
    } catch (error) {
      callback(error);
    }
  }

  _flush(callback) {
    try {
      if (this.rest) this.line(this.rest);
      callback();
    } catch (error) {
      callback(error);
    }
  }
}

export class RowsToCsv extends Lines {
  constructor() {
    super();
    this.push(COLUMNS.join(',') + '\r\n');
  }

  line(line) {
    const row = JSON.parse(line);
    this.push(COLUMNS.map((column) => escape(row[column])).join(',') + '\r\n');
  }
}

export class RowsToNdjson extends Lines {
  line(line) {
    this.push(JSON.stringify(JSON.parse(line)) + '\n');
  }
}

function escape(value) {
  const text = String(value ?? '');
  if (!/[",\r\n]/.test(text)) return text;
  return '"' + text.replaceAll('"', '""') + '"';
}
