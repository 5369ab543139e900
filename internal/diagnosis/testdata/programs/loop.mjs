// A loop that computes for a while in one go.
function sum(until) {
  let total = 0;
  while (Date.now() < until) total += Math.sqrt(total + 1); // BLAME
  return total;
}

setTimeout(() => console.log(sum(Date.now() + 400)), 100);
