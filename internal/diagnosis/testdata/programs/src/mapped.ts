// What the candidate wrote: the types are gone in dist/mapped.js.
type Total = number;

interface Options {
  until: number;
}

export function spin(options: Options): Total {
  let total: Total = 0;
  while (Date.now() < options.until) total += Math.sqrt(total + 1); // BLAME
  return total;
}

setTimeout(() => spin({ until: Date.now() + 400 }), 100);
