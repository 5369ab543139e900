// Types are stripped when it runs; lines stay.
interface Options {
  until: number;
}

type Total = number;

function spin(options: Options): Total {
  let total: Total = 0;
  while (Date.now() < options.until) total += Math.sqrt(total + 1); // BLAME
  return total;
}

setTimeout((): Total => spin({ until: Date.now() + 400 }), 100);
