import { pbkdf2, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(pbkdf2);
const ITERATIONS = 40_000;
const BYTES = 64;

export function hashPassword(password, salt) {
  return derive(password, salt, ITERATIONS, BYTES, 'sha512');
}

/** Whether the password is the one that was hashed. */
export async function verifyPassword(password, salt, expected) {
  const actual = pbkdf2Sync(password, salt, ITERATIONS, BYTES, 'sha512');
  return timingSafeEqual(actual, expected);
}
