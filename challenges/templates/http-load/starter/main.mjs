import { createServer } from 'node:http';

createServer((req, res) => {
  if (req.url === '/healthz') {
    res.end('ok');
    return;
  }
  // Your turn: GET /greet/NAME and POST /hash.
  res.statusCode = 501;
  res.end();
}).listen(process.env.PORT);
