// A regular expression that tries every way to split the text.
function check(text) {
  return /^(a+)+$/.test(text); // BLAME
}

setTimeout(() => console.log(check(`${'a'.repeat(23)}b`)), 100);
