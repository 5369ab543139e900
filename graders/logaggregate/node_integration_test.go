//go:build integration

package logaggregate

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

// solutions are the bundled solutions of the challenge, seen from here.
const solutions = "../../challenges/log-aggregate/solutions"

// nodeRun drives a bundled solution on the Node of this machine.
func nodeRun(t *testing.T, p prepared, solution string) evidence.Run {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(solutions, solution))
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "assay.json"))
	require.NoError(t, err)
	var manifest struct {
		Start []string `json:"start"`
	}
	require.NoError(t, json.Unmarshal(text, &manifest))
	argv := slices.Clone(manifest.Start)
	argv[len(argv)-1] = filepath.Join(dir, argv[len(argv)-1])
	executions, err := New().Drive(t.Context(), newHostPod(t, p.DataDir, argv...), p.Params)
	require.NoError(t, err)
	return evidence.Run{Scenario: "main", Executions: executions}
}

// TestNodeSolutions drives real programs: the reference is right about everything, and the flawed ones get their codes.
func TestNodeSolutions(t *testing.T) {
	cache := t.TempDir()
	plain := map[string]any{"kind": "plain", "size": "32MiB"}
	gzip := map[string]any{"kind": "gzip", "size": "16MiB"}
	pack := map[string]any{"kind": "anomalies"}
	tests := []struct {
		solution string
		with     map[string]any
		codes    []string
	}{
		{"reference", plain, []string{}},
		{"reference", gzip, []string{}},
		{"reference", pack, []string{}},
		{"ref-min", plain, []string{}},
		{"ref-min", gzip, []string{}},
		{"flawed/split-no-boundary", plain, []string{codeBoundaryLoss, codeWrongOutput}},
		{"flawed/utf8-per-chunk", pack, []string{codeUTF8Split}},
		{"flawed/sync-parse-error-crash", plain, []string{codeCrash}},
	}
	for _, tt := range tests {
		t.Run(tt.solution+" "+tt.with["kind"].(string), func(t *testing.T) {
			p := prepareFor(t, cache, tt.with, 5*time.Minute)
			m := measure(t, nodeRun(t, p, tt.solution), decode(t, p.Truth))
			assert.Equal(t, tt.codes, codes(m), "%+v", m.Findings)
			if len(tt.codes) == 0 {
				assert.InDelta(t, 1, m.Values[metricExact], 0, "%+v", m.Cases)
			}
		})
	}
}
