const MAX_LENGTH = 254;

// Letters and digits, with single dots, underscores or hyphens between them, at a host with a dot.
const EMAIL = /^[a-z0-9]+(?:[._-][a-z0-9]+)*[._-]?@(?:[a-z0-9-]+\.)+[a-z]{2,}$/i;

export function isEmail(text) {
  return text.length <= MAX_LENGTH && EMAIL.test(text);
}
