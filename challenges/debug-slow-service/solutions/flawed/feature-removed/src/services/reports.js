/** Figures for the dispatch office, over all shipments of a month. */
export class ReportService {
  constructor(shipments) {
    this.shipments = shipments;
  }

  /** Pieces and grams by carrier. */
  carriers(month) {
    const totals = {};
    for (const row of this.shipments.all()) {
      if (row.month !== month) {
        continue;
      }
      const total = (totals[row.carrier] ??= { shipments: 0, grams: 0 });
      total.shipments += 1;
      total.grams += row.grams;
    }
    return { month, carriers: sorted(totals) };
  }

  /** Shipments, weight and cost by country, for those that were delivered. */
  countries(month) {
    const totals = {};
    for (const row of this.shipments.all()) {
      if (row.month === month && row.status === 'delivered') {
        const total = (totals[row.country] ??= { shipments: 0, grams: 0, costCents: 0 });
        total.shipments += 1;
        total.grams += row.grams;
        total.costCents += row.costCents;
      }
    }
    return { month, countries: sorted(totals) };
  }
}

function sorted(totals) {
  return Object.fromEntries(Object.entries(totals).sort(([a], [b]) => (a < b ? -1 : 1)));
}
