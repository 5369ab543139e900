import { closeSync, openSync } from 'node:fs';

for (const dir of ['/tmp', '/out']) {
  let made = 0;
  try {
    for (; made < 1_000_000; made++) closeSync(openSync(`${dir}/${made}`, 'w'));
    console.log(`SUCCEEDED a million files in ${dir}`);
  } catch (error) {
    console.log(`refused file ${made} in ${dir}: ${error.code}`);
  }
}
const open = [];
try {
  for (let i = 0; i < 100_000; i++) open.push(openSync('/dev/null'));
  console.log('SUCCEEDED 100,000 open files');
} catch (error) {
  console.log(`refused open file ${open.length}: ${error.code}`);
}
