// Work that takes long, done at once behind an await: few callbacks, none of them short.
const digits = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8];

function price(n) {
  for (let i = 0; i < n; i++) digits.sort((a, b) => ((a * i) % 7) - ((b * i) % 7)); // BLAME
  return digits[0];
}

async function answer() {
  let total = 0;
  for (let request = 0; request < 5; request++) {
    await null;
    total += price(100_000);
  }
  return total;
}

setTimeout(answer, 100);
