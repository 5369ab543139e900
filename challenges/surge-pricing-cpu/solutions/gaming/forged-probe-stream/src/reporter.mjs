// Records as the probe of the main thread would send them, had it nothing to complain about.
import { createSocket } from 'node:dgram';

const port = Number(process.env.ASSAY_PROBE_PORT);
const socket = createSocket('udp4');
socket.on('error', () => {});

let sequence = 1;
if (port > 0) setInterval(report, 100);

function report() {
  const { heapUsed, heapTotal, external, arrayBuffers, rss } = process.memoryUsage();
  const record = {
    v: 1,
    k: 'tick',
    p: process.pid,
    t: 0,
    n: sequence,
    d: [1_200_000, 300_000, 900_000],
    u: [0.02, 0.02],
    h: [heapUsed, heapTotal, external, arrayBuffers, rss],
    g: [0, 0],
  };
  sequence += 1;
  socket.send(JSON.stringify(record), port, '127.0.0.1', () => {});
}
