// The other process or thread of a hold: it takes as much memory as it is told to, and keeps it.
import process from 'node:process';
import { parentPort } from 'node:worker_threads';

const port = parentPort ?? { on: (name, f) => process.on(name, f), postMessage: (m) => process.send(m) };
const kept = [];

port.on('message', (bytes) => {
  kept.push(Buffer.alloc(bytes, 1));
  port.postMessage('taken');
});
port.postMessage('ready');
