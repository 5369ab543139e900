// Another program is waited for.
import { execSync } from 'node:child_process';

function version() {
  return execSync('sleep 0.4'); // BLAME
}

setTimeout(version, 100);
