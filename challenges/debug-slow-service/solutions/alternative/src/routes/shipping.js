import { z } from 'zod';

const Parcel = z.object({
  country: z.string().regex(/^[A-Z]{2}$/),
  postcode: z.string().regex(/^[0-9]{5}$/),
  grams: z.coerce.number().int().min(1).max(30_000),
});

export function shippingRoutes(app, { shipping }) {
  app.get('/shipping/quote', async (request) => shipping.quote(Parcel.parse(request.query)));
}
