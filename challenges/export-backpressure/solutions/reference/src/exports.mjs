// One export: a question to the source, and a pipeline from its answer to the client.

import { get } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';

import { csvRows, HEADER } from './csv.mjs';
import { batches } from './lines.mjs';
import { Problem } from './problem.mjs';

const FORMATS = {
  csv: { type: 'text/csv; charset=utf-8', head: Buffer.from(HEADER), convert: csvRows },
  ndjson: { type: 'application/x-ndjson', head: undefined, convert: checked },
};

/** @param {string} sourceUrl */
export function createExports(sourceUrl) {
  /** Sends an export. It ends when the client has all of it; it rejects when that does not come about. */
  return async function sendExport(query, response) {
    const { rows, format } = parse(query);

    // The client may leave before the source has answered. Then there is no pipeline yet that would notice.
    const left = new AbortController();
    response.once('close', () => left.abort());

    const source = await ask(`${sourceUrl}?rows=${rows}`, left.signal);
    response.setHeader('content-type', format.type);
    // Whatever ends one of the three ends the others: a client that leaves, a source that fails, a row that is none.
    // Each waits for the next, so nothing is read from the source that the client does not take.
    await pipeline(
      source,
      async function* (chunks) {
        if (format.head) yield format.head;
        for await (const lines of batches(chunks)) {
          yield format.convert(lines);
          // A source and a client that are both fast keep each other busy without end, and all others waiting: Node reads a
          // socket up to 32 times before it looks at the next one.
          await setImmediate();
        }
      },
      response,
    );
  };
}

function parse(query) {
  const rows = query.get('rows') ?? '';
  const format = query.get('format') ?? '';
  if (!/^\d{1,15}$/.test(rows)) throw new Problem(400, 'rows must be a whole number from 0 on');
  if (!Object.hasOwn(FORMATS, format)) throw new Problem(400, 'format must be csv or ndjson');
  return { rows: Number(rows), format: FORMATS[format] };
}

/**
 * The source's answer, once its head has come. Problem 502 when there is none, or another one than rows.
 *
 * @returns {Promise<import('node:http').IncomingMessage>}
 */
function ask(url, signal) {
  return new Promise((resolve, reject) => {
    const request = get(url, { signal, agent: false }, (answer) => {
      if (answer.statusCode === 200) {
        resolve(answer);
      } else {
        answer.destroy();
        reject(new Problem(502, `The source answered ${answer.statusCode}`));
      }
    });
    // It stays for the time after the answer, when the answer's own errors say more.
    request.on('error', () => reject(new Problem(502, 'The source does not answer')));
  });
}

/** NDJSON stays as it is, but nothing is handed on that is no JSON. */
function checked(lines) {
  for (const line of lines.split('\n')) JSON.parse(line);
  return Buffer.from(`${lines}\n`);
}
