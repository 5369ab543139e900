//go:build integration

package loggen

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// byNode asks Node, whose JSON.parse is the contract, about one file.
func byNode(t *testing.T, path string) Truth {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "node", "--max-old-space-size=2048", "testdata/truth.mjs", path).Output()
	require.NoError(t, err)
	var truth Truth
	require.NoError(t, json.Unmarshal(out, &truth))
	return truth
}

// asked is a truth without the figures that a submission is not asked for.
func asked(t Truth) Truth {
	t.Bytes, t.MsgUTF16, t.BadKinds = 0, 0, nil
	return t
}

func TestAnomaliesEqualNode(t *testing.T) {
	t.Parallel()
	for _, seed := range []string{"one", "two"} {
		files, err := Anomalies(t.Context(), t.TempDir(), AnomalyOptions{Seed: []byte(seed), Path: func(a Anomaly) string {
			if a.Gzip {
				return a.ID + ".gz"
			}
			return a.ID
		}})
		require.NoError(t, err)
		for _, file := range files {
			if file.Exit == 0 {
				assert.Equal(t, oracleOf(t, file, maxLineBytes), forOracle(*file.Truth), file.ID)
				assert.Equal(t, asked(*file.Truth), byNode(t, file.Path), file.ID)
			}
		}
	}
}

func TestPlainEqualsNodeAndOracle(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	truth, err := GenerateFile(t.Context(), path, Options{Seed: []byte("large"), Bytes: 64 << 20})
	require.NoError(t, err)
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	want, err := Oracle(t.Context(), f)
	require.NoError(t, err)
	assert.Equal(t, want, forOracle(truth))
	assert.Equal(t, asked(truth), byNode(t, path))
}
