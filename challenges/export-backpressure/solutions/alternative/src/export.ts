import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';

import { formats, type Format } from './formats.ts';
import { Failure } from './failure.ts';

export type Export = { rows: string; format: Format };

export function readExport(query: URLSearchParams): Export {
  const rows = query.get('rows');
  const format = formats.get(query.get('format') ?? '');
  if (rows === null || !/^[0-9]+$/.test(rows)) throw new Failure(400, 'rows must be a whole number');
  if (format === undefined) throw new Failure(400, `format must be one of ${[...formats.keys()].join(', ')}`);
  return { rows, format };
}

export async function sendExport({ rows, format }: Export, sourceUrl: string, response: ServerResponse): Promise<void> {
  const client = new AbortController();
  response.once('close', () => client.abort());

  const source = await ask(`${sourceUrl}?rows=${rows}`, client.signal);
  response.writeHead(200, { 'content-type': format.type });
  if (format.head !== '') response.write(format.head);
  for await (const lines of wholeLines(source)) {
    if (!response.write(format.convert(lines))) await once(response, 'drain', { signal: client.signal });
    await setImmediate(); // after each chunk it is somebody else's turn
  }
  response.end();
}

/** The rows as they come. Leaving the iteration, or the signal, closes the connection. */
async function ask(url: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const answer = await fetch(url, { signal }).catch(() => undefined);
  if (answer?.status !== 200 || answer.body === null) {
    await answer?.body?.cancel();
    throw new Failure(502, `The source said ${answer?.status ?? 'nothing'}`);
  }
  return answer.body;
}

/** What each chunk completes, without the last line feed. */
async function* wholeLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let begun: string[] = [];
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true });
    const end = text.lastIndexOf('\n');
    if (end < 0) {
      begun.push(text);
      continue;
    }
    yield begun.join('') + text.slice(0, end);
    begun = [text.slice(end + 1)];
  }
  const last = begun.join('') + decoder.decode();
  if (last !== '') yield last;
}
