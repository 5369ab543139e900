// The trick: what the client does not take is put into a file in /tmp, where it is no memory of the process. Its honest twin is
// flawed/write-ignoring-drain.

import { createServer, get } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { createWriteStream } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { Converter } from './converter.mjs';

let files = 0;

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

  const path = `/tmp/export-${files++}`;
  let spooled;
  const spooling = pipeline(source, new Converter(format), createWriteStream(path)).then(
    () => (spooled = true),
    (error) => (spooled = error),
  );
  try {
    await pipeline(() => follow(path, () => spooled), response);
  } finally {
    source.destroy();
    await spooling;
    await unlink(path).catch(() => {});
  }
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

/** What is in a file that still grows. */
async function* follow(path, state) {
  let at = 0;
  let file;
  try {
    for (;;) {
      const ended = state();
      file ??= await open(path).catch(() => undefined);
      const { bytesRead, buffer } = file
        ? await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, at)
        : { bytesRead: 0 };
      if (bytesRead > 0) {
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      } else if (ended === true) {
        return;
      } else if (ended) {
        throw ended;
      } else {
        await sleep(5);
      }
    }
  } finally {
    await file?.close();
  }
}
