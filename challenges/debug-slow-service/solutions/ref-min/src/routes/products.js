import { z } from 'zod';
import { CATEGORIES, SEGMENTS } from '../store/seed.js';

const List = z.object({
  category: z.enum(CATEGORIES),
  material: z.string().max(20).optional(),
  sort: z.enum(['sku', 'price', 'title']).default('sku'),
  page: z.coerce.number().int().min(1).max(1_000).default(1),
});
const Price = z.object({ currency: z.string().regex(/^[A-Z]{3}$/) });
const Related = z.object({ segment: z.enum(SEGMENTS).default('regular') });

export function productRoutes(app, { availability, catalogue, prices, related }) {
  app.get('/products', async (request) => catalogue.list(List.parse(request.query)));
  app.get('/products/:sku', async (request) => catalogue.detail(request.params.sku));
  app.get('/products/:sku/availability', async (request) => availability.of(request.params.sku));
  app.get('/products/:sku/price', async (request) => {
    const { currency } = Price.parse(request.query);
    return prices.inCurrency(request.params.sku, currency);
  });
  app.get('/products/:sku/related', async (request) => {
    const { segment } = Related.parse(request.query);
    return related.of(request.params.sku, segment);
  });
}
