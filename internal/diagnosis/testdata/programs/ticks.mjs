// Small steps that follow each other by process.nextTick: the loop gets no turn in between.
let left = 30_000;

function step() {
  let total = 0;
  for (let i = 0; i < 3000; i++) total += Math.sqrt(i); // BLAME
  if (left-- > 0) process.nextTick(step);
  return total;
}

setTimeout(step, 100);
