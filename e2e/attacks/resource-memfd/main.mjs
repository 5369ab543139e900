import { spawnSync } from 'node:child_process';

spawnSync('./tool', ['memfd'], { stdio: 'inherit' });
