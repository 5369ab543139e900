// Plays the services behind Quayside on a laptop, about as quick as the real ones. Figures differ from those of a grading.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const number = (text, limit) => [...text].reduce((h, c) => (Math.imul(h, 31) + c.charCodeAt(0)) >>> 0, 7) % limit;
const last = (url) => url.split('?', 1)[0].split('/').pop();
const item = (id) => ({ id, label: `Q${number(id, 100_000)}`, unit: 'piece' });

function tariffs() {
  const countries = {};
  for (const country of ['DE', 'DK', 'ES', 'FR', 'GB', 'IT', 'NL', 'NO', 'PL', 'PT', 'SE', 'FI']) {
    countries[country] = {};
    for (let prefix = 0; prefix < 1_000; prefix++) {
      const key = String(prefix).padStart(3, '0');
      const n = number(country + key, 1_000);
      countries[country][key] = {
        name: `${country}-${n % 9}`, days: 1 + (n % 6), baseCents: 390 + n, perKilogramCents: 35 + (n % 120),
        carrier: 'ferryline', window: '08:00-18:00', collection: 'depot',
      };
    }
  }
  return { version: 7, prefixLength: 3, countries };
}

const services = {
  4000: [0, () => tariffs()],
  4001: [8, (url, body) => (body === '' ? item(last(url)) : JSON.parse(body).ids.map(item))],
  4002: [6, async (url) => {
    if (Number(last(url).slice(2)) % 4 === 0) await sleep(1_200);
    return { points: number(url, 9_000) };
  }],
  4003: [5, (url) => ({ currency: last(url), rate: 0.5 + number(url, 100) / 100 })],
  4004: [40, (url) => ({ skus: [1, 2, 3, 4].map((n) => `QS-${String(1 + number(url + n, 2_000)).padStart(4, '0')}`) })],
  4005: [10, async (url, body, socket) => {
    if (!socket.greeted) await sleep(25);
    socket.greeted = true;
    return { count: number(url, 400), average: 1 + number(url, 41) / 10 };
  }],
  4006: [12, (url) => ({ onHand: number(url, 60) })],
  4007: [15, (url) => ({ pieces: number(url, 40), days: 1 + number(url, 7) })],
};

for (const [port, [takes, answer]] of Object.entries(services)) {
  createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    await sleep(takes);
    const content = await answer(request.url, body, request.socket);
    response.setHeader('content-type', 'application/json').end(JSON.stringify(content));
  }).listen(Number(port), '127.0.0.1');
}

// Every name is 127.0.0.1, for a minute.
const names = createSocket('udp4');
names.on('message', async (question, { address, port }) => {
  await sleep(6);
  const head = Buffer.from(question);
  head[2] |= 0x84;
  head[7] = 1; // one answer
  head.fill(0, 8, 12);
  const end = question.indexOf(0, 12) + 5;
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
  names.send(Buffer.concat([head.subarray(0, end), record]), port, address);
});
names.bind(4053, '127.0.0.1', () => console.log('The services behind Quayside are there. Start it with node --env-file=dev/local.env src/main.js'));
