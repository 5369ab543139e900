import { createServer } from 'node:http';

const { PORT, PROFILE_URL, RECS_URL, AB_URL } = process.env;
const TIMEOUT_MS = 250;
const RETRIES = 1;
const RETRY_AFTER_MS = 100;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function getJson(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) {
    await response.text();
    throw Object.assign(new Error(`${url} answered ${response.status}`), { status: response.status });
  }
  return response.json();
}

async function getWithRetry(url) {
  for (let retry = 0; ; retry++) {
    try {
      return await getJson(url);
    } catch (error) {
      if (error.status === 404 || retry === RETRIES) throw error;
      await sleep(RETRY_AFTER_MS);
    }
  }
}

async function getRecs(user) {
  const { items } = await getWithRetry(`${RECS_URL}/recs/${user}`);
  if (!Array.isArray(items)) throw new Error('recommendations are no list');
  return items;
}

async function getExperiments(user) {
  const { experiments } = await getWithRetry(`${AB_URL}/experiments/${user}`);
  if (typeof experiments !== 'object' || Array.isArray(experiments)) throw new Error('experiments are no object');
  return experiments;
}

async function home(user) {
  const [profile, recs, experiments] = await Promise.allSettled([
    getWithRetry(`${PROFILE_URL}/profile/${user}`),
    getRecs(user),
    getExperiments(user),
  ]);
  if (profile.status === 'rejected') {
    if (profile.reason.status === 404) return problem(404, 'No such user');
    return problem(502, 'Profile is not available');
  }
  const degraded = [];
  if (recs.status === 'rejected') degraded.push('recs');
  if (experiments.status === 'rejected') degraded.push('experiments');
  return {
    status: 200,
    body: { profile: profile.value, recs: recs.value ?? null, experiments: experiments.value ?? null, degraded },
  };
}

async function play(user, request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  let title;
  try {
    title = JSON.parse(text).title;
  } catch {
    return problem(400, 'Body is not JSON');
  }
  try {
    const response = await fetch(`${PROFILE_URL}/plays`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user, title }),
      signal: AbortSignal.timeout(600),
    });
    const answer = await response.text();
    if (response.status >= 500) return problem(502, 'The play was not taken');
    if (response.status >= 400) return problem(response.status, 'The play was refused');
    return { status: response.status, body: JSON.parse(answer) };
  } catch {
    return problem(502, 'The play may not have been taken');
  }
}

const problem = (status, title) => ({ status, type: 'application/problem+json', body: { status, title } });

async function handle(request) {
  if (request.url === '/healthz') return { status: 200, body: { ok: true } };
  const [, first, user, last] = request.url.split('/');
  if (first === 'home' && user && !last && request.method === 'GET') return home(user);
  if (first === 'home' && user && last === 'plays' && request.method === 'POST') return play(user, request);
  return problem(404, 'No such route');
}

createServer(async (request, response) => {
  const { status, type = 'application/json', body } = await handle(request).catch((error) => {
    console.error(error);
    return problem(500, 'Internal error');
  });
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body));
}).listen(Number(PORT), '0.0.0.0');
