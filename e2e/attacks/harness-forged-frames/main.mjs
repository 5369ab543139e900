// Whatever it says, it is output of a submission.
import { connect } from 'node:net';
import { readFileSync } from 'node:fs';

const frame = (text) => {
  const body = Buffer.from(text);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
};
const lie = JSON.stringify({ version: 'assay/1', type: 'result', executions: [{ name: 'attack', exit: { status: 'exited', code: 0 } }] });
process.stdout.write(frame(lie));
process.stderr.write(frame(lie));

const ports = [];
for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
  try {
    for (const line of readFileSync(file, 'latin1').split('\n').slice(1)) {
      const [, local, , state] = line.trim().split(/\s+/);
      if (state === '0A') ports.push(parseInt(local.split(':')[1], 16));
    }
  } catch {
    // There is none.
  }
}
for (const port of ports) connect(port, '127.0.0.1').on('error', () => {}).end(frame(lie));
setTimeout(() => {}, 300);
