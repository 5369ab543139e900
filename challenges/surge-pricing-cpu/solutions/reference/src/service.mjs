// The routes. Nothing here takes longer than a few microseconds; what does belongs into the worker.

import { Problem, readBytes, readJson, sendJson, sendProblem } from './http.mjs';
import { SurgeTable } from './table.mjs';

const MAX_REBUILD_BYTES = 16 * 1024 * 1024;
const MAX_QUOTE_BYTES = 64 * 1024;

// There is no knowing when a place will be free: a rebuild may take milliseconds or minutes.
const RETRY_AFTER_S = '1';

/**
 * @param {import('./pool.mjs').RebuildPool} pool
 * @returns {import('node:http').RequestListener}
 */
export function createService(pool) {
  // The only state. A quote takes this reference once, so it can never see half of one table and half of another.
  let table = SurgeTable.empty();

  const routes = {
    'GET /healthz': async (request, response) => {
      request.resume();
      sendJson(response, 200, { status: 'ok' });
    },

    'POST /quote': async (request, response) => {
      const body = await readJson(request, MAX_QUOTE_BYTES);
      sendJson(response, 200, table.quote(body));
    },

    'POST /rebuild': async (request, response) => {
      // Before the body: what there is no room for must not fill the memory first.
      const place = pool.reserve();
      if (place === undefined) throw new Problem(503, 'Too many rebuilds', { 'retry-after': RETRY_AFTER_S });
      try {
        const { multipliers, ids, checksum } = await place.run(await readBytes(request, MAX_REBUILD_BYTES));
        table = new SurgeTable(table.epoch + 1, ids, multipliers);
        sendJson(response, 200, { epoch: table.epoch, checksum });
      } finally {
        place.release();
      }
    },
  };

  return (request, response) => {
    const path = request.url.split('?', 1)[0];
    const handle = routes[`${request.method} ${path}`] ?? notFound;
    handle(request, response).catch((error) => {
      // The rest of a body is read and dropped: closing the connection now could destroy the answer on its way.
      request.resume();
      if (!(error instanceof Problem)) console.error(error);
      sendProblem(response, error instanceof Problem ? error : new Problem(500, 'Internal error'));
    });
  };
}

async function notFound() {
  throw new Problem(404, 'No such route');
}
