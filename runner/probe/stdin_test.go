package probe

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPreloadsLeaveStandardInput reads standard input in one go, which is how most programs for such tasks do it, from a pipe that has nothing to
// say yet. A descriptor that a preload has made non-blocking would give EAGAIN.
func TestPreloadsLeaveStandardInput(t *testing.T) {
	t.Parallel()
	for name, source := range map[string][]byte{"nothing": nil, FileName: Source(), DiagnoseFileName: DiagnoseSource()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			main := filepath.Join(dir, "main.mjs")
			require.NoError(t, os.WriteFile(main, []byte("import { readFileSync } from 'node:fs';\nconsole.log(readFileSync(0, 'utf8').length);\n"), 0o600))
			cmd := exec.CommandContext(t.Context(), "node", main)
			if source != nil {
				file := filepath.Join(dir, name)
				require.NoError(t, os.WriteFile(file, source, 0o600))
				l, err := Listen()
				require.NoError(t, err)
				defer l.Close()
				cmd.Env = append(os.Environ(), "NODE_OPTIONS=--import file://"+file, fmt.Sprintf("%s=%d", PortVariable, l.Port()))
			}
			in, err := cmd.StdinPipe()
			require.NoError(t, err)
			var out strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &out
			require.NoError(t, cmd.Start())
			time.Sleep(500 * time.Millisecond) // by then it reads
			_, err = in.Write(make([]byte, 300_000))
			require.NoError(t, err)
			require.NoError(t, in.Close())
			require.NoError(t, cmd.Wait(), out.String())
			assert.Equal(t, "300000\n", out.String())
		})
	}
}
