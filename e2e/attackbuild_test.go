//go:build integration

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
)

// evilPackage is what the registry of these tests has: a package whose scripts must not run, and which calls itself node.
var evilPackage = map[string]string{
	"package/package.json": `{"name": "assay-evil", "version": "1.0.0", "bin": {"node": "fake.mjs", "npm": "fake.mjs"}, "scripts": {
		"preinstall": "node fake.mjs", "install": "node fake.mjs", "postinstall": "node fake.mjs", "prepare": "node fake.mjs"}}`,
	"package/fake.mjs": "#!/usr/bin/env node\nimport { writeFileSync } from 'node:fs';\nwriteFileSync('/assay/app/hooked', '');\n" +
		"console.log('SUCCEEDED running what a package brings');\n",
}

// newRegistry serves an npm registry with one package, on every address of this host, and returns where it is to be found.
func newRegistry(t *testing.T, host string) string {
	t.Helper()
	var archive bytes.Buffer
	gz := gzip.NewWriter(&archive)
	w := tar.NewWriter(gz)
	for name, text := range evilPackage {
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(text))}))
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, gz.Close())
	l, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	url := "http://" + net.JoinHostPort(host, port)
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".tgz") {
			_, _ = w.Write(archive.Bytes())
			return
		}
		var manifest map[string]any
		if json.Unmarshal([]byte(evilPackage["package/package.json"]), &manifest) != nil || r.URL.Path != "/assay-evil" {
			http.NotFound(w, r)
			return
		}
		manifest["dist"] = map[string]string{"tarball": url + "/assay-evil/-/assay-evil-1.0.0.tgz"}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"name": "assay-evil", "dist-tags": map[string]string{"latest": "1.0.0"}, "versions": map[string]any{"1.0.0": manifest},
		})
	})}}
	server.Start()
	t.Cleanup(server.Close)
	return url
}

// build carries out an attack on the build, and runs the submission afterwards when there is one left.
func (b *attackBench) build(t *testing.T, a attack) {
	t.Helper()
	ws := b.stage(t, a)
	defer func() { assert.NoError(t, ws.Close(t.Context())) }()
	env := b.env()
	env["REGISTRY"] = b.registry
	began := time.Now()
	result, err := b.engine.Build(t.Context(), ws, runner.BuildSpec{Steps: a.Steps, Env: env, Timeout: time.Duration(a.Seconds) * time.Second})
	require.NoError(t, err, "an attack is a result, not a fault of ours")
	require.NotEmpty(t, result.Steps)
	assert.Less(t, time.Since(began), time.Duration(a.Seconds)*time.Second+attackSlack)
	var text strings.Builder
	var refused []string
	for _, s := range result.Steps {
		fmt.Fprintf(&text, "%v %+v\n%s\n", s.Argv, s.Exit, s.Output.Text)
		refused = append(refused, s.Refused...)
	}
	t.Logf("%srefused hosts: %v", text.String(), refused)
	last := result.Steps[len(result.Steps)-1]
	said := evidence.Execution{Stdout: evidence.Log{Text: text.String()}}
	assert.Equal(t, a.Failed, result.Failed)
	if a.Failed {
		assert.Contains(t, a.Status, last.Exit.Status)
	} else {
		require.Len(t, result.Steps, len(a.Steps))
	}
	assert.Empty(t, lines(said, "SUCCEEDED "))
	assert.GreaterOrEqual(t, len(lines(said, "refused ")), a.Refused)
	for _, host := range a.RefusedHosts {
		assert.True(t, slices.ContainsFunc(refused, func(r string) bool { return strings.HasPrefix(r, host) }), "%s is refused: %v", host, refused)
	}
	assert.Contains(t, text.String(), a.Contains)
	if a.Failed {
		return
	}
	run, err := runner.Drive(t.Context(), b.engine, b.spec(ws, kindAttack, marshal(t, workload.Command{
		Name: "attack", Args: []string{"main.mjs"}, Timeout: attackTime * time.Second, Env: env,
	})))
	require.NoError(t, err)
	x := run.Executions[0]
	assert.True(t, x.Exit.OK(), "%+v %s", x.Exit, x.Stderr.Text)
	assert.Empty(t, lines(x, "SUCCEEDED "))
	assert.NotEmpty(t, lines(x, "refused "), "what was built is run, and looks around: %s", x.Stdout.Text)
}
