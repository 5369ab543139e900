package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUnusedFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log-aggregate-20261126-020000")
	for _, want := range []string{path, path + "-2", path + "-3"} {
		got := unused(path)
		require.Equal(t, want, got, "an older report is not written over")
		require.NoError(t, os.Mkdir(got, 0o700))
	}
	assert.Equal(t, "/nowhere/at/all", unused("/nowhere/at/all"))
}
