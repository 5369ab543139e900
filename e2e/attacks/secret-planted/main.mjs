import { closeSync, lstatSync, openSync, readSync, readdirSync } from 'node:fs';

import { attempt } from './attempt.mjs';

// Written so that this file does not hold what it looks for.
const planted = /planted[-]assay-[0-9a-f]{32}/;
const some = Buffer.alloc(1 << 20);
const end = Date.now() + 15_000;
let files = 0;
const found = [];

function search(path) {
  let file;
  try {
    file = openSync(path, 'r');
    for (let at = 0; at < 4 << 20; ) {
      const n = readSync(file, some, 0, some.length, path.startsWith('/proc') ? null : at);
      if (n === 0) break;
      at += n;
      if (planted.test(some.latin1Slice(0, n))) found.push(path);
    }
    files++;
  } catch {
    // It is not for us.
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function walk(dir, depth) {
  let entries = [];
  try {
    entries = readdirSync(dir, { withFileTypes: true });
  } catch {
    return;
  }
  for (const entry of entries) {
    if (Date.now() > end) return;
    const path = `${dir === '/' ? '' : dir}/${entry.name}`;
    if (planted.test(path)) found.push(path);
    if (entry.isDirectory() && depth < 12 && !/^\/proc\/(\d+|self|thread-self)\/(task|fd|root|cwd|map_files)$/.test(path)) walk(path, depth + 1);
    else if (entry.isFile() && lstatSync(path, { throwIfNoEntry: false })?.isFile() && !/kmsg|trace_pipe|kpage/.test(path)) search(path);
  }
}

walk('/', 0);
for (const root of ['/proc/1/root', '/proc/1/cwd', '/proc/self/root', '/var/lib/docker', process.env.PLANTED_PATH]) walk(root, 6);
search(`${process.env.PLANTED_PATH}/secret`);
console.log(`note ${files} files read`);
attempt('find what was planted', () => {
  if (files < 100) console.log('SUCCEEDED reading next to nothing, which proves nothing');
  if (found.length === 0) throw new Error('NOTHING');
  console.log(`note ${found.slice(0, 10)}`);
});
