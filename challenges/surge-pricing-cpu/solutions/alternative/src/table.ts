/** One epoch. A table is replaced as a whole and never changed. */
export type Table = {
  readonly epoch: number;
  /** ascending */
  readonly ids: Uint32Array;
  /** of the same cells, in ten-thousandths */
  readonly multipliers: Uint16Array;
};

export const emptyTable: Table = { epoch: 0, ids: new Uint32Array(0), multipliers: new Uint16Array(0) };

export function multiplierOf({ ids, multipliers }: Table, cell: number): number {
  let from = 0;
  let to = ids.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (ids[middle]! < cell) from = middle + 1;
    else to = middle;
  }
  return ids[from] === cell ? multipliers[from]! : 10_000;
}
