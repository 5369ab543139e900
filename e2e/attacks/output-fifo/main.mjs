import { spawnSync } from 'node:child_process';

spawnSync('./tool', ['mkfifo', '/out/result.json'], { stdio: 'inherit' });
