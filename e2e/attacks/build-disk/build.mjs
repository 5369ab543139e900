import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';

// Files of 256 MB, each second one unlinked and kept open; 5 GB in all, at most.
const some = Buffer.alloc(1 << 20, 'x');
for (let file = 0; file < 20; file++) {
  const fd = openSync(`part-${file}`, 'w');
  if (file % 2) unlinkSync(`part-${file}`);
  for (let i = 0; i < 256; i++) writeSync(fd, some);
  if (file % 2 === 0) closeSync(fd);
}
