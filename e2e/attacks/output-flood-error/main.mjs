import { writeSync } from 'node:fs';

const some = Buffer.from('\u001b]0;owned\u0007\u001b[2J<script>alert(1)</script>=cmd|calc!A0'.repeat(16_000));
for (let sent = 0; sent < 1e9; ) {
  try {
    sent += writeSync(2, some);
  } catch (error) {
    if (error.code !== 'EAGAIN') throw error;
  }
}
