import { createWriteStream } from 'node:fs';

const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** Appends to the audit log without waiting for whoever reads it. */
export class AuditLog {
  constructor(path) {
    this.out = createWriteStream(path, { flags: 'a' });
    this.out.on('error', (error) => process.emitWarning(`audit log: ${error.message}`));
  }

  write(entry) {
    if (this.out.writableLength > MAX_WAITING_BYTES) {
      throw new Error('the audit log is not taken away');
    }
    this.out.write(`${JSON.stringify(entry)}\n`);
  }
}
