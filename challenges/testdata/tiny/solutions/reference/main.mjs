// solutions/reference/main.mjs
