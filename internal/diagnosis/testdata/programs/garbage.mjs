// Many objects that stay for a while: V8 is busy freeing and moving them.
let kept = [];

function remember() {
  for (let i = 0; i < 1_500_000; i++) {
    kept.push({ i, tags: [`a${i}`], at: { x: i } }); // BLAME
    if (kept.length > 700_000) kept = [];
  }
}

setTimeout(remember, 100);
