import { z } from 'zod';
import { notFound } from '../lib/errors.js';

const Search = z.object({ tracking: z.string().min(3).max(20) });

export function shipmentRoutes(app, { shipments }) {
  app.get('/shipments', async (request) => {
    const { tracking } = Search.parse(request.query);
    return shipments.byTracking(tracking) ?? fail();
  });
  app.get('/shipments/:id', async (request) => shipments.byId(request.params.id) ?? fail());
  app.get('/orders/:id/shipments', async (request) => ({ shipments: shipments.ofOrder(request.params.id) }));
}

function fail() {
  throw notFound('shipment');
}
