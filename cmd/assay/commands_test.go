package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCommandsAreDocumented wants a row in docs/cli.md for each command that people may use.
func TestCommandsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/cli.md")
	require.NoError(t, err)
	commands := (&app{second: &secondSignal{told: make(chan struct{})}}).command().Commands()
	require.NotEmpty(t, commands)
	for _, c := range commands {
		if !c.Hidden {
			assert.Contains(t, string(text), "\n| `"+c.Name(), "docs/cli.md has no row for assay %s", c.Name())
			assert.NotEmpty(t, c.Example, "assay %s --help has no example", c.Name())
		}
	}
}
