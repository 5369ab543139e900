import { randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const file = join(process.env.DATA_DIR, 'notes.jsonl');
const notes = new Map();
if (existsSync(file)) {
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue;
    const note = JSON.parse(line);
    notes.set(note.id, note);
  }
}

function send(res, status, body, headers = {}) {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify(body));
}

async function read(req) {
  let text = '';
  for await (const chunk of req) text += chunk;
  return JSON.parse(text);
}

createServer(async (req, res) => {
  if (req.url === '/healthz') return send(res, 200, { ok: true });
  if (req.method === 'POST' && req.url === '/notes') {
    const body = await read(req);
    if (typeof body?.text !== 'string') return send(res, 400, { title: 'text is missing' });
    const note = { id: randomUUID(), text: body.text };
    // What is confirmed must be on disk before.
    appendFileSync(file, JSON.stringify(note) + '\n', { flush: true });
    notes.set(note.id, note);
    return send(res, 201, note, { location: `/notes/${note.id}` });
  }
  const note = req.method === 'GET' && notes.get(req.url.replace('/notes/', ''));
  return note ? send(res, 200, note) : send(res, 404, { title: 'not found' });
}).listen(process.env.PORT);
