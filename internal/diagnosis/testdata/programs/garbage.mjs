// Many objects that stay for a while: V8 is busy freeing and moving them.
const kept = [];

function remember() {
  for (let i = 0; i < 1_200_000; i++) {
    kept.push([[i], [i], [i], [i], [i]]); // BLAME
  }
}

setTimeout(remember, 100);
