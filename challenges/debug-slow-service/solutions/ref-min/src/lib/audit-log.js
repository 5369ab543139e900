import { pino } from 'pino';

/** Appends to the audit log, which a shipper reads and takes away. Lines are in the order in which requests ended. */
export class AuditLog {
  constructor(path) {
    this.out = pino.destination({ dest: path, sync: false, minLength: 0 });
  }

  write(entry) {
    const line = `${JSON.stringify(entry)}\n`;
    this.out.write(line);
  }
}
