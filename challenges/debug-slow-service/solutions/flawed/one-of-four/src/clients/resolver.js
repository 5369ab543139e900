import { Resolver } from 'node:dns/promises';

const MIN_TTL_MS = 1_000;

/** Finds services by the name servers of the platform, which the system's own resolver does not know. */
export class NameResolver {
  constructor(server) {
    this.resolver = new Resolver({ timeout: 1_000, tries: 2 });
    this.resolver.setServers([server]);
    this.known = new Map();
  }

  /** Returns an IPv4 address of the name. */
  async address(name) {
    const known = this.known.get(name);
    if (known !== undefined && known.expires > Date.now()) {
      return known.address;
    }
    const [record] = await this.resolver.resolve4(name, { ttl: true });
    this.known.set(name, { address: record.address, expires: Date.now() + Math.max(record.ttl * 1_000, MIN_TTL_MS) });
    return record.address;
  }
}
