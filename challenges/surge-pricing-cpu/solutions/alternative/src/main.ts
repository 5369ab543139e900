// No worker threads: a rebuild is a generator that stops every now and then, and the event loop gives it slices of a few
// milliseconds. Node runs these files as they are; only types that can be stripped are used.

import { createServer } from 'node:http';

import { router } from './routes.ts';
import { Slicer } from './slicer.ts';

const server = createServer(router(new Slicer({ running: 2, waiting: 8, sliceMs: 3 })));
server.requestTimeout = 60_000;
server.listen(Number(process.env.PORT), '0.0.0.0');
