import { z } from 'zod';

const MAX_LINES = 10_000;

const Basket = z.object({
  lines: z
    .array(
      z.object({
        sku: z.string().min(1).max(20),
        quantity: z.number().int().min(1).max(1_000),
        note: z.string().max(80).optional(),
      }),
    )
    .min(1)
    .max(MAX_LINES),
});

export function basketRoutes(app, { baskets }) {
  app.post('/baskets/price', async (request) => {
    const { lines } = Basket.parse(request.body);
    return baskets.price(lines);
  });
}
