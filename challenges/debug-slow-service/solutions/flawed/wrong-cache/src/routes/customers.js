export function customerRoutes(app, { customers, orders }) {
  app.get('/customers/:id/summary', async (request) => customers.summary(request.params.id));
  app.get('/customers/:id/orders', async (request) => orders.ofCustomer(request.params.id));
}
