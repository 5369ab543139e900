package runnertest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// programs are the submissions of the conformance suite. Each is one file of a single workspace.
func programs() map[string]string {
	return map[string]string{
		"exit.mjs": `process.exit(Number(process.argv[2]));
`,
		"signal.mjs": `setInterval(() => {}, 1000);
process.kill(process.pid, process.argv[2]);
`,
		"print.mjs": `import { writeSync } from 'node:fs';

const [, , bytes] = process.argv;
writeSync(2, 'to stderr\n');
writeSync(1, 'first line\n');
const chunk = Buffer.alloc(64 * 1024, 'x');
for (let left = Number(bytes); left > 0; ) {
  left -= writeSync(1, chunk, 0, Math.min(left, chunk.length));
}
writeSync(1, '\nlast line\n');
`,
		"stdin.mjs": `import { readFileSync } from 'node:fs';

const [, , how] = process.argv;
if (how === 'stream') {
  let bytes = 0;
  for await (const chunk of process.stdin) bytes += chunk.length;
  console.log(bytes);
} else if (how !== 'ignore') {
  console.log(readFileSync(how === 'fd' ? 0 : how).length);
}
`,
		"env.mjs": `console.log(JSON.stringify({ cwd: process.cwd(), env: process.env, args: process.argv.slice(2) }));
`,
		"data.mjs": `import { readFileSync, writeFileSync } from 'node:fs';

const [, , dir] = process.argv;
let write = 'written';
try {
  writeFileSync(dir + '/input.txt', 'spoilt');
} catch (err) {
  write = err.code;
}
console.log(JSON.stringify({ read: readFileSync(dir + '/input.txt', 'utf8'), write }));
`,
		"out.mjs": `import { writeFileSync } from 'node:fs';

const [, , file, text] = process.argv;
writeFileSync(file, text);
`,
		"hang.mjs": `import { writeFileSync } from 'node:fs';

const [, , ready] = process.argv;
if (ready) writeFileSync(ready, 'ready');
setInterval(() => {}, 1000);
`,
		"orphan.mjs": `import { spawn } from 'node:child_process';

// The child has a session of its own and no environment to be known by.
const [, , marker, ready] = process.argv;
const child = spawn(process.execPath, ['hang.mjs', ready, marker], { detached: true, stdio: 'ignore', env: {} });
child.unref();
`,
		"allocate.mjs": `const kept = [];
for (;;) kept.push(Buffer.alloc(8 << 20, 1));
`,
	}
}

// writePrograms puts the programs into a new directory, with a link that staging must pass over.
func writePrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, source := range programs() {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(source), 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sub", "not-a-program"), []byte("\x00\x01\x02"), 0o700))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(dir, "link")))
	return dir
}

// writeData makes a directory with one input file.
func writeData(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "input.txt"), []byte("the data"), 0o644))
	return dir
}
