// solutions/gaming/liar/main.mjs
