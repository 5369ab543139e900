import { gzip } from 'node:zlib';
import { promisify } from 'node:util';

const compress = promisify(gzip);
const COLUMNS = ['id', 'orderId', 'tracking', 'month', 'carrier', 'country', 'status', 'grams', 'costCents'];

/** Tables for the accountants, as compressed CSV. */
export class ExportService {
  constructor(shipments) {
    this.shipments = shipments;
  }

  /** Shipments of the months from…to, both included. */
  async shipmentsCsv(from, to) {
    const lines = [COLUMNS.join(';')];
    for (const row of this.shipments.all()) {
      if (row.month >= from && row.month <= to) {
        lines.push(
          `${row.id};${row.orderId};${row.tracking};${row.month};${row.carrier};${row.country};${row.status};${row.grams};${row.costCents}`,
        );
      }
    }
    const text = `${lines.join('\n')}\n`;
    return compress(text, { level: 9 });
  }
}
