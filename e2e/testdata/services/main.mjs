// Uses the services as a submission may, and then tries what it may not. Each line of the output is one try and what came of it.
import { connect } from 'node:net';
import { readdirSync, readFileSync } from 'node:fs';

const say = (what, got) => console.log(`${what}: ${got}`);
const database = new URL(process.env.DATABASE_URL);
const cache = new URL(process.env.REDIS_URL);

// One connection, with bytes put in and taken out.
async function dial(where) {
  const socket = connect(where);
  let have = Buffer.alloc(0), ended = false, wake = () => {};
  socket.on('data', (d) => { have = Buffer.concat([have, d]); wake(); });
  socket.on('close', () => { ended = true; wake(); });
  socket.on('error', () => {});
  const until = async (enough) => {
    for (;;) {
      const n = enough(have);
      if (n > 0) { const part = have.subarray(0, n); have = have.subarray(n); return part; }
      if (ended) return null;
      await new Promise((r) => { wake = r; });
    }
  };
  return { socket, until };
}

// PostgreSQL, as little of it as will do.
async function postgres(where, user) {
  const { socket, until } = await dial(where);
  const words = Buffer.from(`user\0${user}\0database\0app\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + words.length);
  head.writeInt32BE(196608, 4);
  socket.write(Buffer.concat([head, words]));
  const message = async () => {
    const m = await until((b) => (b.length >= 5 && b.length > b.readInt32BE(1) ? 1 + b.readInt32BE(1) : 0));
    return m && { type: String.fromCharCode(m[0]), body: m.subarray(5) };
  };
  const ready = async () => {
    let got = '';
    for (;;) {
      const m = await message();
      if (!m) return got || 'closed';
      if (m.type === 'E') got = m.body.toString().split('\0').find((f) => f[0] === 'C').slice(1);
      if (m.type === 'D') got = m.body.subarray(6).toString();
      if (m.type === 'C' && !got) got = m.body.toString().replace('\0', '');
      if (m.type === 'Z') return got || 'ready';
    }
  };
  const query = (sql) => {
    const text = Buffer.from(sql + '\0');
    const q = Buffer.alloc(5);
    q.write('Q');
    q.writeInt32BE(4 + text.length, 1);
    socket.write(Buffer.concat([q, text]));
    return ready();
  };
  return { started: await ready(), query, end: () => socket.destroy() };
}

async function redis(command) {
  const { socket, until } = await dial({ host: cache.hostname, port: Number(cache.port) });
  socket.write(command.map((c) => c + '\r\n').join(''));
  let last;
  for (const _ of command) last = await until((b) => b.indexOf('\n') + 1);
  socket.destroy();
  return last?.toString().trim().split(' ')[0];
}

const door = { host: database.hostname, port: Number(database.port) };
const app = await postgres(door, 'app');
say('app', app.started);
for (let i = 0; i < 10; i++) await app.query("UPDATE counters SET total = total + 1 WHERE key = 'a'");
await app.query('BEGIN');
await app.query("UPDATE counters SET total = total + 1 WHERE key = 'a'");
await app.query('COMMIT');
say('own table', await app.query('CREATE TABLE mine (id int)'));
say('superuser', await app.query('SELECT rolsuper FROM pg_roles WHERE rolname = current_user'));
say('insert', await app.query("INSERT INTO counters VALUES ('b', 1)"));
say('file', await app.query("SELECT pg_read_file('/etc/passwd')"));
say('program', await app.query("COPY mine FROM PROGRAM 'id'"));
say('become', await app.query('SET ROLE postgres'));
say('terminate', await app.query("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'postgres'"));
say('postgres', (await postgres(door, 'postgres')).started);
const more = [];
for (let i = 0; i < 4; i++) more.push((await postgres(door, 'app')).started);
say('too many', more.join());

const sockets = readFileSync('/proc/net/unix', 'utf8').match(/@assay-\S+PGSQL\S+/g) ?? [];
for (const name of new Set(sockets)) {
  for (const user of ['app', 'postgres']) say(`past the proxy as ${user}`, (await postgres({ path: '\0' + name.slice(1) }, user)).started);
}

const login = `AUTH ${cache.username} ${cache.password}`;
say('redis', await redis([login, 'SET a 1']));
say('redis, nobody', await redis(['GET a']));
say('redis, settings', await redis([login, 'CONFIG GET dir']));
say('redis, others', await redis([login, 'ACL LIST']));

const tried = { kill: new Set(), environ: new Set(), root: new Set() };
let seen = 0;
const attempt = (kind, f) => { try { f(); tried[kind].add('DONE'); } catch (e) { tried[kind].add(e.code); } };
for (const pid of readdirSync('/proc').filter((p) => /^\d+$/.test(p))) {
  let line;
  try { line = readFileSync(`/proc/${pid}/cmdline`, 'utf8'); } catch { continue; }
  if (!/postgres|redis/.test(line)) continue;
  seen++;
  attempt('kill', () => process.kill(Number(pid), 'SIGKILL'));
  attempt('environ', () => readFileSync(`/proc/${pid}/environ`));
  attempt('root', () => readdirSync(`/proc/${pid}/root/data`));
}
say('processes', seen > 2);
for (const [kind, codes] of Object.entries(tried)) say(kind, [...codes].join());
process.exit(0);
