import { timingSafeEqual, webcrypto } from 'node:crypto';

const ITERATIONS = 40_000;
const BITS = 512;
const text = new TextEncoder();

/** Web Crypto derives in the thread pool, so logins do not stop anybody else. */
export async function hashPassword(password, salt) {
  const key = await webcrypto.subtle.importKey('raw', text.encode(password), 'PBKDF2', false, ['deriveBits']);
  const bits = await webcrypto.subtle.deriveBits(
    { name: 'PBKDF2', hash: 'SHA-512', salt: text.encode(salt), iterations: ITERATIONS },
    key,
    BITS,
  );
  return Buffer.from(bits);
}

/** Whether the password is the one that was hashed. */
export async function verifyPassword(password, salt, expected) {
  return timingSafeEqual(await hashPassword(password, salt), expected);
}
