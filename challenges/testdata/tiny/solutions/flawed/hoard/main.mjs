// solutions/flawed/hoard/main.mjs
