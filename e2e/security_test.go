package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCorpusIsListed holds docs/security.md to the folders of attacks.
func TestCorpusIsListed(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/security.md")
	require.NoError(t, err)
	files, err := filepath.Glob("attacks/*/attack.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		var a struct {
			Tries string `yaml:"tries"`
		}
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(raw, &a))
		assert.Contains(t, string(doc), fmt.Sprintf("| `%s` | %s |", filepath.Base(filepath.Dir(file)), a.Tries))
	}
}
