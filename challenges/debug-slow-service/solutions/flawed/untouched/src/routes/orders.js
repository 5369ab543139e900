export function orderRoutes(app, { invoices }) {
  app.get('/orders/:id/invoice', async (request) => invoices.of(request.params.id));
}
