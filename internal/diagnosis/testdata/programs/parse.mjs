// A large text is parsed at once.
const text = JSON.stringify(Array.from({ length: 400_000 }, (_, i) => ({ id: i, name: `n${i}`, tags: ['a', 'b'] })));

function load() {
  return JSON.parse(text); // BLAME
}

setTimeout(() => console.log(load().length), 200);
