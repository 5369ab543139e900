// The fault: each row goes through every step by itself, is written by itself, and is waited for until it has left.

import { createServer, get } from 'node:http';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { csvLine, HEADER, ndjsonLine } from './rows.mjs';

class Problem extends Error {
  constructor(status, title) {
    super(title);
    this.status = status;
  }
}

const server = createServer(async (request, response) => {
  try {
    const url = new URL(request.url, 'http://localhost');
    if (url.pathname === '/healthz') response.end();
    else if (url.pathname === '/export') await sendExport(url.searchParams, response);
    else throw new Problem(404, 'Not found');
  } catch (error) {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const { status = 500, message: title } = error;
    response.writeHead(status, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify({ status, title }));
  }
});
server.listen(Number(process.env.PORT), '0.0.0.0');

async function sendExport(query, response) {
  const rows = query.get('rows');
  const format = query.get('format');
  if (!/^\d+$/.test(rows ?? '')) throw new Problem(400, 'rows must be a whole number');
  if (format !== 'csv' && format !== 'ndjson') throw new Problem(400, 'format must be csv or ndjson');

  const left = new AbortController();
  response.on('close', () => left.abort());
  const source = await ask(`${process.env.SOURCE_URL}?rows=${rows}`, left.signal);
  response.setHeader('content-type', format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson');

  const write = (text) =>
    new Promise((resolve, reject) => response.write(text, (error) => (error ? reject(error) : resolve())));
  if (format === 'csv') await write(HEADER);
  await pipeline(
    source,
    lines,
    step((line) => [line]),
    step(([line]) => (format === 'csv' ? csvLine(line) : ndjsonLine(line))),
    step((text) => Buffer.from(text)),
    async (rows) => {
      for await (const row of rows) await write(row);
    },
    { signal: left.signal },
  );
  response.end();
}

function ask(url, signal) {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, signal }, (answer) => {
      if (answer.statusCode === 200) return resolve(answer);
      answer.destroy();
      reject(new Problem(502, `The source answered ${answer.statusCode}`));
    });
    request.on('error', () => reject(new Problem(502, 'The source does not answer')));
  });
}

/** One line at a time. */
async function* lines(chunks) {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop();
    yield* parts;
  }
  if (rest !== '') yield rest;
}

/** A step that takes one row at a time. */
function step(convert) {
  return new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform(row, encoding, done) {
      try {
        done(null, convert(row));
      } catch (error) {
        done(error);
      }
    },
  });
}
