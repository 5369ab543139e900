//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// lookAround prints what a submission finds in the image that it runs in.
const lookAround = `
const { existsSync, accessSync, constants, readdirSync } = require('node:fs');
const programs = [];
for (const dir of ['/bin', '/sbin', '/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin']) {
  if (!existsSync(dir)) continue;
  for (const name of readdirSync(dir)) {
    try { accessSync(dir + '/' + name, constants.X_OK); programs.push(name); } catch {}
  }
}
console.log(JSON.stringify({
  node: process.version, uid: process.getuid(), programs: [...new Set(programs)].sort(),
  tls: require('node:tls').rootCertificates.length > 0, utc: new Date(0).toString(),
}));
`

// TestRunImageHoldsNodeAndNothingElse starts the image by itself, the way anybody could, to see what is in it.
func TestRunImageHoldsNodeAndNothingElse(t *testing.T) {
	// The sweeper of testcontainers is an image of its own, which no machine without a registry can have. The test removes
	// its container itself.
	t.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	t.Setenv("TESTCONTAINERS_HOST_OVERRIDE", "localhost")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		Started: true,
		ContainerRequest: testcontainers.ContainerRequest{
			Image:      "assay/node:24",
			Entrypoint: []string{"node", "-e", lookAround},
			HostConfigModifier: func(h *container.HostConfig) {
				h.NetworkMode = "none"
				h.ReadonlyRootfs = true
			},
			WaitingFor: wait.ForExit(),
		},
	})
	testcontainers.CleanupContainer(t, c)
	require.NoError(t, err)

	logs, err := c.Logs(ctx)
	require.NoError(t, err)
	defer logs.Close()
	text, err := io.ReadAll(io.LimitReader(logs, 1<<20))
	require.NoError(t, err)
	var seen struct {
		Node     string
		UID      int
		Programs []string
		TLS      bool
		UTC      string
	}
	require.NoError(t, json.Unmarshal(text, &seen), "%s", text)
	assert.Regexp(t, `^v24\.`, seen.Node)
	assert.Equal(t, 10001, seen.UID)
	assert.Equal(t, []string{"node"}, seen.Programs)
	assert.True(t, seen.TLS)
	assert.Contains(t, seen.UTC, "GMT+0000")
}
