import { mkdirSync } from 'node:fs';

mkdirSync('/out/result.json/a/b', { recursive: true });
