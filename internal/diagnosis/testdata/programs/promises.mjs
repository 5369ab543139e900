// Small steps with an await in between that waits for nothing.
async function work() {
  let total = 0;
  for (let n = 0; n < 60_000; n++) {
    for (let i = 0; i < 2000; i++) total += Math.sqrt(i); // BLAME
    await null;
  }
  return total;
}

setTimeout(work, 100);
