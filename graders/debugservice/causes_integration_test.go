//go:build integration

package debugservice

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write answers.json anew")

// TestAnswers says that the service without any cause answers what is recorded, and passes every check. With -update it records.
func TestAnswers(t *testing.T) {
	files, _, err := set(t).With(nil)
	require.NoError(t, err)
	_, f := driven(t, files, params{Kind: kindChecks})
	if *update {
		all := map[string]known{}
		for name, s := range f.Cases {
			require.Empty(t, s.Error, name)
			all[name] = known{Status: s.Status, Type: s.Type, Digest: s.Digest, Text: s.Text}
		}
		text, err := json.MarshalIndent(all, "", " ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile("answers.json", append(text, '\n'), 0o600))
		return
	}
	right(t, f)
	for _, c := range causes() {
		v := f.Checks[c.name]
		require.NotNil(t, v)
		t.Logf("%-22s %8.3f / %8.3f = %7.3f  %s %v", c.name, v.Value, v.Base, v.Value/v.Base, v.Failed, v.Before)
		assert.Empty(t, c.judge(v), c.name)
	}
}

// right says that every answer is the recorded one, and nothing is stale or missing in the audit log.
func right(t *testing.T, f facts) {
	t.Helper()
	known := answers()
	require.Len(t, known, len(pool()))
	for name, k := range known {
		assert.Empty(t, k.judge(f.Cases[name]), name)
	}
	assert.Empty(t, f.Fresh.stale())
	assert.Equal(t, f.AuditAsked, f.Audited)
}

// TestEachCause puts each cause alone into the service: its check finds it, and nothing is answered otherwise.
func TestEachCause(t *testing.T) {
	for _, c := range causes() {
		t.Run(c.name, func(t *testing.T) {
			files, places, err := set(t).With([]string{c.name})
			require.NoError(t, err)
			require.NotEmpty(t, places)
			_, f := driven(t, files, params{Kind: kindChecks, Only: []string{c.name}})
			right(t, f)
			v := f.Checks[c.name]
			t.Logf("%8.3f / %8.3f = %7.3f  %s", v.Value, v.Base, v.Value/v.Base, v.Failed)
			assert.Empty(t, v.Failed)
			assert.NotEmpty(t, c.judge(v))
		})
	}
}
