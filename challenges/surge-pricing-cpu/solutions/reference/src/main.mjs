// The surge pricing service: quotes from a table in memory, which is rebuilt in worker threads.

import { createServer } from 'node:http';

import { RebuildPool } from './pool.mjs';
import { createService } from './service.mjs';

const pool = new RebuildPool({ workers: 2, waiting: 8 });
const server = createServer(createService(pool));

// A rebuild keeps its place while its body arrives, so nobody may take for ever to send one.
server.requestTimeout = 60_000;

server.listen(Number(process.env.PORT), '0.0.0.0');
