package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCorpusIsListed holds the table of docs/security.md to the folders of attacks: none is missing, and none is of an attack that is gone.
func TestCorpusIsListed(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/security.md")
	require.NoError(t, err)
	files, err := filepath.Glob("attacks/*/attack.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var want []string
	for _, file := range files {
		var a struct {
			Tries string `yaml:"tries"`
		}
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(raw, &a))
		want = append(want, "| `"+filepath.Base(filepath.Dir(file))+"` | "+a.Tries+" |")
	}
	assert.ElementsMatch(t, want, corpusTable(t, string(doc)))
}

// corpusTable are the rows of the table of attacks.
func corpusTable(t *testing.T, doc string) []string {
	t.Helper()
	_, after, found := strings.Cut(doc, "<!-- attacks:")
	require.True(t, found, "the mark before the table is gone")
	section, _, _ := strings.Cut(after, "\n## ")
	var rows []string
	for _, line := range strings.Split(section, "\n") {
		if strings.HasPrefix(line, "| `") {
			rows = append(rows, line)
		}
	}
	return rows
}
