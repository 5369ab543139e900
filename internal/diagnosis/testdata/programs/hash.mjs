// A password is hashed on the main thread.
import { pbkdf2Sync } from 'node:crypto';

function hash(password) {
  return pbkdf2Sync(password, 'salt', 900_000, 32, 'sha256'); // BLAME
}

setTimeout(() => hash('secret'), 100);
