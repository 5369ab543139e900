// It is ended from outside in the middle of its work.
setTimeout(() => {
  const until = Date.now() + 2600;
  let total = 0;
  while (Date.now() < until) total += Math.sqrt(total + 1); // BLAME
  process.kill(process.pid, 'SIGKILL');
}, 100);
