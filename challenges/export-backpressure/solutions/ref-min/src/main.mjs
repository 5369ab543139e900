import { createServer, get } from 'node:http';
import { pipeline } from 'node:stream/promises';

import { RowsToCsv, RowsToNdjson } from './rows.mjs';

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
  if (!Number(rows)) throw new Problem(400, 'rows must be a number');
  if (format !== 'csv' && format !== 'ndjson') throw new Problem(400, 'format must be csv or ndjson');

  const source = await ask(`${process.env.SOURCE_URL}?rows=${rows}`);
  response.setHeader('content-type', format === 'csv' ? 'text/csv' : 'application/x-ndjson');
  const convert = format === 'csv' ? new RowsToCsv() : new RowsToNdjson();
  await pipeline(source.setEncoding('utf8'), convert, response);
}

function ask(url) {
  return new Promise((resolve, reject) => {
    const request = get(url, (answer) => {
      if (answer.statusCode === 200) return resolve(answer);
      answer.destroy();
      reject(new Problem(502, `The source answered ${answer.statusCode}`));
    });
    request.on('error', () => reject(new Problem(502, 'The source does not answer')));
  });
}
