import { pbkdf2Sync } from 'node:crypto';
import { createServer } from 'node:http';

function send(res, status, body) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(body));
}

async function read(req) {
  let text = '';
  for await (const chunk of req) text += chunk;
  return JSON.parse(text);
}

createServer(async (req, res) => {
  if (req.url === '/healthz') return send(res, 200, { ok: true });
  const name = req.url.match(/^\/greet\/([^/]+)$/)?.[1];
  if (name) return send(res, 200, { greeting: `Hello, ${decodeURIComponent(name).toUpperCase()}!` });
  if (req.method === 'POST' && req.url === '/hash') {
    const { password } = await read(req);
    const hash = pbkdf2Sync(password, 'assay', 300_000, 32, 'sha256');
    return send(res, 200, { hash: hash.toString('hex') });
  }
  return send(res, 404, { title: 'not found' });
}).listen(process.env.PORT);
