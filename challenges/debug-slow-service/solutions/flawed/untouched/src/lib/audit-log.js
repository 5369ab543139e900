import { openSync, writeSync } from 'node:fs';

/** Appends to the audit log, which a shipper reads and takes away. Lines are in the order in which requests ended. */
export class AuditLog {
  constructor(path) {
    this.file = openSync(path, 'a');
  }

  write(entry) {
    const line = `${JSON.stringify(entry)}\n`;
    writeSync(this.file, line);
  }
}
