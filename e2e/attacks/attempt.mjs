// What an attack says of each thing that it tries: the test counts the lines.

/** Tries something that must not work. */
export function attempt(what, action) {
  try {
    action();
    console.log(`SUCCEEDED ${what}`);
  } catch (error) {
    console.log(`refused ${what}: ${error.code ?? error.message}`);
  }
}

/** The same for what takes time. */
export async function attemptLater(what, action) {
  try {
    await action();
    console.log(`SUCCEEDED ${what}`);
  } catch (error) {
    console.log(`refused ${what}: ${error.code ?? error.message}`);
  }
}
