import { z } from 'zod';
import { Month } from '../lib/month.js';

const Query = z.object({ month: Month });

export function reportRoutes(app, { reports }) {
  app.get('/reports/carriers', async (request) => reports.carriers(Query.parse(request.query).month));
  app.get('/reports/countries', async (request) => reports.countries(Query.parse(request.query).month));
}
