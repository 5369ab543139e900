// The trick: whoever does not read fast enough is cut off before much piles up. Its honest twin is flawed/write-ignoring-drain.

import { createServer, get } from 'node:http';

import { Converter } from './converter.mjs';

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

  const converter = new Converter(format);
  converter.on('data', (text) => {
    response.write(text);
    if (response.writableLength > 256 * 1024) response.destroy();
  });
  converter.on('end', () => response.end());
  converter.on('error', () => response.destroy());
  source.on('data', (chunk) => converter.write(chunk));
  source.on('end', () => converter.end());
  source.on('error', () => response.destroy());
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
