import { z } from 'zod';

const upstream = z.url({ protocol: /^https?$/ });

const Environment = z.object({
  PORT: z.coerce.number().int().min(1).max(65_535).default(3000),
  AUDIT_LOG: z.string().min(1).default('audit.log'),
  CONFIG_URL: upstream,
  ITEMS_URL: upstream,
  LOYALTY_URL: upstream,
  RATES_URL: upstream,
  RELATED_URL: upstream,
  REVIEWS_URL: upstream,
  STOCK_URL: upstream,
  WAREHOUSES_URL: upstream,
  RESOLVER_URL: z.url({ protocol: /^dns$/ }),
  SESSION_SECRET: z.string().min(8).default('quayside-sessions'),
  INVOICE_SECRET: z.string().min(8).default('quayside-invoices'),
});

/** Reads the environment once, at the start. Throws with the names of what is missing or malformed. */
export function readConfig(env) {
  const parsed = Environment.safeParse(env);
  if (!parsed.success) {
    throw new Error(`configuration: ${parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ')}`);
  }
  const e = parsed.data;
  return {
    port: e.PORT,
    auditLog: e.AUDIT_LOG,
    resolver: new URL(e.RESOLVER_URL).host,
    sessionSecret: e.SESSION_SECRET,
    invoiceSecret: e.INVOICE_SECRET,
    upstreams: {
      config: e.CONFIG_URL,
      items: e.ITEMS_URL,
      loyalty: e.LOYALTY_URL,
      rates: e.RATES_URL,
      related: e.RELATED_URL,
      reviews: e.REVIEWS_URL,
      stock: e.STOCK_URL,
      warehouses: e.WAREHOUSES_URL,
    },
  };
}
