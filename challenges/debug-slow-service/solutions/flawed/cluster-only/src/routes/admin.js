import { z } from 'zod';

const NewPrice = z.object({ priceCents: z.number().int().min(1).max(10_000_000) });

export function adminRoutes(app, { prices }) {
  app.put('/admin/products/:sku/price', async (request) => {
    const { priceCents } = NewPrice.parse(request.body);
    return prices.change(request.params.sku, priceCents);
  });
}
