import { createServer } from 'node:http';

createServer((req, res) => {
  if (req.url === '/healthz') {
    res.end('ok');
    return;
  }
  // Your turn: POST /notes and GET /notes/ID.
  res.statusCode = 501;
  res.end();
}).listen(process.env.PORT);
