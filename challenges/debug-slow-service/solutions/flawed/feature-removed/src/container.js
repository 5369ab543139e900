import { ItemsClient } from './clients/items.js';
import { LoyaltyClient } from './clients/loyalty.js';
import { RatesClient } from './clients/rates.js';
import { RelatedClient } from './clients/related.js';
import { NameResolver } from './clients/resolver.js';
import { ReviewsClient } from './clients/reviews.js';
import { StockClient } from './clients/stock.js';
import { TariffClient } from './clients/tariffs.js';
import { WarehousesClient } from './clients/warehouses.js';
import { AuditLog } from './lib/audit-log.js';
import { CustomerRepository } from './repositories/customers.js';
import { OrderRepository } from './repositories/orders.js';
import { ProductRepository } from './repositories/products.js';
import { ShipmentRepository } from './repositories/shipments.js';
import { AvailabilityService } from './services/availability.js';
import { BasketService } from './services/baskets.js';
import { CatalogueService } from './services/catalogue.js';
import { CustomerService } from './services/customers.js';
import { ExportService } from './services/exports.js';
import { InvoiceService } from './services/invoices.js';
import { NewsletterService } from './services/newsletter.js';
import { OrderService } from './services/orders.js';
import { PriceService } from './services/prices.js';
import { RelatedService } from './services/related.js';
import { ReportService } from './services/reports.js';
import { SessionService } from './services/sessions.js';
import { ShippingService } from './services/shipping.js';
import { fillStore } from './store/seed.js';

/** Makes everything that routes need, in the order of who needs whom. */
export async function createServices(config, logger) {
  const { upstreams } = config;
  const clients = {
    items: new ItemsClient(upstreams.items),
    loyalty: new LoyaltyClient(upstreams.loyalty, logger),
    related: new RelatedClient(upstreams.related),
    reviews: new ReviewsClient(upstreams.reviews),
    stock: new StockClient(upstreams.stock),
    tariffs: new TariffClient(upstreams.config),
    warehouses: new WarehousesClient(upstreams.warehouses),
    rates: new RatesClient(upstreams.rates, new NameResolver(config.resolver)),
  };
  const store = await fillStore();
  const customers = new CustomerRepository(store.customers);
  const orders = new OrderRepository(store.orders);
  const products = new ProductRepository(store.products);
  const shipments = new ShipmentRepository(store.shipments);
  const shipping = new ShippingService(clients.tariffs);
  await shipping.load();

  return {
    audit: new AuditLog(config.auditLog),
    availability: new AvailabilityService(products, clients.warehouses),
    baskets: new BasketService(products),
    catalogue: new CatalogueService(products, clients.stock, clients.reviews),
    customers: new CustomerService(customers, orders, clients.loyalty),
    exports: new ExportService(shipments),
    invoices: new InvoiceService(orders, customers, config.invoiceSecret),
    newsletter: new NewsletterService(),
    orders: new OrderService(customers, orders, clients.items),
    prices: new PriceService(products, clients.rates),
    related: new RelatedService(products, clients.related),
    reports: new ReportService(shipments),
    sessions: new SessionService(customers, config.sessionSecret),
    shipments,
    shipping,
    async close() {
      shipping.close();
      await Promise.all(Object.values(clients).map((client) => client.close()));
    },
  };
}
