/** The request is not what the contract says; becomes an answer with status 400. */
export class BadInput extends Error {}

export function isWhole(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}
