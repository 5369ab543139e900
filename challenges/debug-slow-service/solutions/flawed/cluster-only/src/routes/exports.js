import { z } from 'zod';
import { Month } from '../lib/month.js';

const Range = z.object({ from: Month, to: Month }).refine(({ from, to }) => from <= to);

export function exportRoutes(app, { exports }) {
  app.get('/exports/shipments', async (request, reply) => {
    const { from, to } = Range.parse(request.query);
    const file = await exports.shipmentsCsv(from, to);
    reply.type('application/gzip').header('content-disposition', `attachment; filename="shipments-${from}-${to}.csv.gz"`);
    return reply.send(file);
  });
}
