import { existsSync } from 'node:fs';

if (!existsSync('node_modules/.bin/node')) throw new Error('the package was not installed');
console.log(`note ${process.execPath}`);
