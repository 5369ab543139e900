import { createServer } from 'node:http';

// The trick: nobody is asked, so nothing can fail. Every page looks like one, and every play is taken. The honest twin is ref-min.
const page = (user) => ({
  profile: { user, name: 'Viewer', plan: 'family', tag: '0' },
  recs: [1, 2, 3, 4, 5].map((i) => ({ id: `t-0-${i}`, title: `Title ${i}` })),
  experiments: { layout: 'wide', bucket: '0' },
  degraded: [],
});

createServer((request, response) => {
  const [, first, user, last] = request.url.split('/');
  let status = 200;
  let body = { ok: true };
  if (first === 'home') body = last ? { play: 'p-0', user } : page(user);
  else if (first !== 'healthz') [status, body] = [404, { status: 404, title: 'No such route' }];
  if (last) status = 201;
  response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
  response.end(JSON.stringify(body));
}).listen(Number(process.env.PORT), '0.0.0.0');
