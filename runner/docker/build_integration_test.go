//go:build integration

package docker

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
)

// buildEngine is an Engine whose driver binary is the egress proxy alone. NPM and certificates are those of the machine.
func buildEngine(t *testing.T) *Engine {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "egressproxy")
	cmd := exec.Command("go", "build", "-o", bin, "./testdata/egressproxy")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	e, err := New(t.Context(), Config{
		Session: "buildtest" + t.Name(), StateID: "buildtest", DriverBinary: bin,
		Image: RunImage(24), BuildImage: BuildImage(24),
		CABundle: npmConfig(t, "cafile"), Egress: Egress{Registry: npmConfig(t, "registry")},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return e
}

// npmConfig is a setting of this machine's npm, empty for none.
func npmConfig(t *testing.T, key string) string {
	t.Helper()
	var stdout bytes.Buffer
	cmd := exec.Command("npm", "config", "get", key)
	cmd.Stdout = &stdout
	require.NoError(t, cmd.Run())
	value := strings.TrimSpace(stdout.String())
	if value == "null" || value == "undefined" {
		return ""
	}
	return value
}

// stageFiles stages a submission and returns its workspace.
func stageFiles(t *testing.T, e *Engine, files map[string]string) runner.Workspace {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	ws, err := e.Stage(t.Context(), runner.StageSpec{Name: "candidate", Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, ws.Close(context.WithoutCancel(t.Context()))) })
	return ws
}

const lockfile = `{"name":"app","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{
  "":{"name":"app","version":"1.0.0","dependencies":{"is-number":"7.0.0"}},
  "node_modules/is-number":{"version":"7.0.0","engines":{"node":">=0.12.0"},
    "integrity":"sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="}}}`

func TestBuildInstallsFromTheRegistry(t *testing.T) {
	e := buildEngine(t)
	e.cfg.Egress.Registry = "" // then it is the one that set-up has noted in the build image
	ws := stageFiles(t, e, map[string]string{
		"package.json": `{"name":"app","version":"1.0.0","dependencies":{"is-number":"7.0.0"},
			"scripts":{"preinstall":"node -e \"require('fs').writeFileSync('hooked','')\""}}`,
		"package-lock.json": lockfile,
	})
	b, err := e.Build(t.Context(), ws, runner.BuildSpec{Steps: [][]string{
		{"npm", "ci"},
		{"node", "-e", `console.log(require('is-number')(5), require('fs').existsSync('hooked'), process.getuid())`},
	}})
	require.NoError(t, err)
	require.Len(t, b.Steps, 2, "%+v", b)
	assert.False(t, b.Failed, "%+v", b)
	assert.True(t, b.Steps[0].Exit.OK(), b.Steps[0].Output.Text)
	assert.Equal(t, "true false 10001\n", b.Steps[1].Output.Text, "installed, no lifecycle script run, right user")
	assert.Empty(t, b.Steps[0].Refused)
	assert.Positive(t, b.Steps[0].DurationNs)
}

// escape tries every way out that is not the registry and prints the outcome of each as one line.
const escape = `
import net from 'node:net';
import os from 'node:os';
import dns from 'node:dns/promises';
const [gateway, port, registry] = process.argv.slice(2);
const direct = (host, port) => new Promise((done) => {
  const s = net.connect({ host, port: Number(port), timeout: 3000 });
  s.on('connect', () => { done('CONNECTED'); s.destroy(); });
  s.on('timeout', () => { done('timeout'); s.destroy(); });
  s.on('error', (e) => done(e.code ?? e.errors?.[0]?.code));
});
const say = (host, port, first) => new Promise((done) => {
  const s = net.connect({ host: '127.0.0.1', port: 3128, timeout: 20000 });
  let text = '';
  s.on('data', (d) => { text += d; if (text.includes('\r\n')) { done(text.split('\r\n')[0]); s.destroy(); } });
  s.on('error', (e) => done(e.code)); s.on('timeout', () => done('timeout')); s.on('end', () => done('end'));
  s.write(first);
});
const tunnel = (target) => say('127.0.0.1', 3128, 'CONNECT ' + target + ' HTTP/1.1\r\nHost: ' + target + '\r\n\r\n');
console.log('gateway', await direct(gateway, port));
console.log('metadata', await direct('169.254.169.254', 80));
console.log('name', await dns.lookup(registry).then(() => 'RESOLVED', (e) => e.code));
console.log('interfaces', Object.keys(os.networkInterfaces()).join());
console.log('other', await tunnel('other.example:443'));
console.log('port', await tunnel(registry + ':22'));
console.log('dot', await tunnel(registry + '.:443'));
console.log('host', await tunnel(gateway + ':' + port));
console.log('loopback', await tunnel('127.0.0.1:' + port));
console.log('plain', await say('127.0.0.1', 3128, 'GET http://' + gateway + ':' + port + '/ HTTP/1.1\r\nHost: x\r\n\r\n'));
const fronted = await new Promise((done) => {
  const s = net.connect({ host: '127.0.0.1', port: 3128, timeout: 20000 });
  s.write('CONNECT ' + registry + ':443 HTTP/1.1\r\nHost: x\r\n\r\n');
  s.once('data', async (d) => {
    const tls = (await import('node:tls')).connect({ socket: s, servername: 'other.example', rejectUnauthorized: false });
    tls.on('secureConnect', () => done('SECURE')); tls.on('error', (e) => done('cut off')); tls.on('close', () => done('cut off'));
  });
  s.on('timeout', () => done('timeout'));
});
console.log('fronted', fronted);
try { (await import('node:fs')).writeFileSync('/etc/assay/ca.pem', ''); console.log('ca WRITTEN'); } catch (e) { console.log('ca', e.code === 'ENOENT' ? 'EACCES' : e.code); }
`

func TestBuildHasNoOtherWayOut(t *testing.T) {
	e := buildEngine(t)
	// A service of the host on all its addresses: what an internal bridge would still reach.
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp4", "0.0.0.0:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, ln.Close()) })
	_, port, err := net.SplitHostPort(ln.Addr().String())
	require.NoError(t, err)
	gateway := hostAddress(t)
	registry := strings.TrimSuffix(strings.TrimPrefix(e.cfg.Egress.Registry, "https://"), "/")

	ws := stageFiles(t, e, map[string]string{"escape.mjs": escape})
	b, err := e.Build(t.Context(), ws, runner.BuildSpec{Steps: [][]string{
		{"node", "-e", "1"},
		{"node", "escape.mjs", gateway, port, registry},
	}})
	require.NoError(t, err)
	require.Len(t, b.Steps, 2, "%+v", b)
	require.True(t, b.Steps[1].Exit.OK(), b.Steps[1].Output.Text)
	assert.Equal(t, strings.Join([]string{
		"gateway ENETUNREACH", "metadata ENETUNREACH", "name EAI_AGAIN", "interfaces lo",
		"other HTTP/1.1 403 Forbidden", "port HTTP/1.1 403 Forbidden", "dot HTTP/1.1 403 Forbidden",
		"host HTTP/1.1 403 Forbidden", "loopback HTTP/1.1 403 Forbidden", "plain HTTP/1.1 403 Forbidden",
		"fronted cut off", "ca " + map[bool]string{true: "EACCES", false: "EROFS"}[e.cfg.CABundle != ""], "",
	}, "\n"), b.Steps[1].Output.Text)
	assert.Empty(t, b.Steps[0].Refused)
	assert.Equal(t, []string{
		"other.example:443", registry + ":22", registry + ".:443", gateway + ":" + port, "127.0.0.1:" + port, registry + ":443",
	}, b.Steps[1].Refused)
}

// hostAddress is an address of this host besides loopback.
func hostAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			return ip.IP.String()
		}
	}
	t.Fatal("this host has no address")
	return ""
}

func TestBuildThatFails(t *testing.T) {
	e := buildEngine(t)
	tests := []struct {
		name   string
		spec   runner.BuildSpec
		status evidence.ExitStatus
		code   int
		steps  int
		output string
	}{
		{"exit code", runner.BuildSpec{Steps: [][]string{{"node", "-e", "process.exit(7)"}, {"node", "-e", "1"}}}, evidence.Exited, 7, 1, ""},
		{"no such command", runner.BuildSpec{Steps: [][]string{{"pnpm", "install"}}}, evidence.NotStarted, 127, 1, ""},
		{
			"time limit",
			runner.BuildSpec{Steps: [][]string{{"node", "-e", "console.log('on');setInterval(()=>{},1e3)"}}, Timeout: 3 * time.Second},
			evidence.TimedOut, 137, 1, "on\n",
		},
		{
			"memory", runner.BuildSpec{
				Steps: [][]string{{"node", "-e", "const a=[];for(;;)a.push(Buffer.alloc(1e7,1))"}}, MemoryBytes: 128 << 20,
			},
			evidence.OOMKilled, 137, 1, "",
		},
		{
			"unknown package", runner.BuildSpec{Steps: [][]string{{"npm", "install", "--registry", "http://other.example/", "x"}}},
			evidence.Exited, 1, 1, "npm error code E403\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ws := stageFiles(t, e, map[string]string{"package.json": `{"name":"app"}`})
			b, err := e.Build(t.Context(), ws, tt.spec)
			require.NoError(t, err)
			require.Len(t, b.Steps, tt.steps)
			assert.True(t, b.Failed)
			last := b.Steps[len(b.Steps)-1]
			assert.Equal(t, tt.status, last.Exit.Status, "%+v", last)
			assert.Equal(t, tt.code, last.Exit.Code, "%+v", last)
			assert.Contains(t, last.Output.Text, tt.output)
		})
	}
}

func TestBuildBoundsOutput(t *testing.T) {
	e := buildEngine(t)
	ws := stageFiles(t, e, nil)
	b, err := e.Build(t.Context(), ws, runner.BuildSpec{Steps: [][]string{
		{"node", "-e", `for(let i=0;i<1000;i++)require('fs').writeSync(1,'x'.repeat(1023)+'\n')`},
	}})
	require.NoError(t, err)
	log := b.Steps[0].Output
	assert.EqualValues(t, 1024*1000, log.Bytes)
	assert.Less(t, len(log.Text), buildOutput+100)
	assert.Positive(t, log.Dropped)
}

func TestBuildLeavesNothing(t *testing.T) {
	e := buildEngine(t)
	ws := stageFiles(t, e, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := e.Build(ctx, ws, runner.BuildSpec{Steps: [][]string{{"node", "-e", "setInterval(()=>{},1e3)"}}})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, ws.Close(t.Context()))
	for _, kind := range []string{"container", "volume"} {
		out, err := exec.Command("docker", kind, "ls", "-q", "--filter", fmt.Sprintf("label=%s=%s", labelSession, e.cfg.Session)).Output()
		require.NoError(t, err)
		assert.Empty(t, string(out), kind)
	}
}

// TestBuildThatWritesTooMuch fills the disk in every way that a step has, and must be ended for each.
func TestBuildThatWritesTooMuch(t *testing.T) {
	e := buildEngine(t)
	const write = `const fs = require('fs'), some = Buffer.alloc(1 << 20, 1); `
	for name, tc := range map[string]struct {
		script string
		limit  evidence.Limit
	}{
		"files":   {write + `for (let i = 0; i < 5000; i++) fs.writeFileSync('f' + i % 20, some, { flag: 'a' });`, evidence.LimitDisk},
		"deleted": {write + `const fd = fs.openSync('x', 'w'); fs.unlinkSync('x'); for (let i = 0; i < 500; i++) fs.writeSync(fd, some); setTimeout(() => {}, 60000);`, evidence.LimitDisk},
		"shut":    {write + `fs.mkdirSync('d'); process.chdir('d'); for (let i = 0; i < 500; i++) fs.writeFileSync('f' + i, some); fs.chmodSync('.', 0); setTimeout(() => {}, 60000);`, evidence.LimitDisk},
		"many":    {write + `for (let i = 0; i < 1e6; i++) fs.writeFileSync('f' + i, '');`, evidence.LimitDiskFiles},
		"nested":  {write + `for (let i = 0; i < 400; i++) { fs.mkdirSync('d'); process.chdir('d'); } setTimeout(() => {}, 60000);`, evidence.LimitDisk},
		"child":   {`require('child_process').spawn('dd', ['if=/dev/zero', 'of=big', 'bs=1M', 'count=500'], { detached: true }); setTimeout(() => {}, 60000);`, evidence.LimitDisk},
	} {
		t.Run(name, func(t *testing.T) {
			ws := stageFiles(t, e, map[string]string{"package.json": `{"name":"app","version":"1.0.0"}`})
			began := time.Now()
			b, err := e.Build(t.Context(), ws, runner.BuildSpec{
				Steps: [][]string{{"node", "-e", tc.script}, {"node", "-e", "console.log('next')"}}, Timeout: time.Minute,
				DiskBytes: 200 << 20, DiskFiles: 2000,
			})
			require.NoError(t, err)
			assert.True(t, b.Failed)
			require.Len(t, b.Steps, 1, "what comes after is not run")
			step := b.Steps[0]
			assert.Equal(t, evidence.DiskLimit, step.Exit.Status, "%+v %s", step.Exit, step.Output.Text)
			require.Len(t, step.Limits, 1)
			assert.Equal(t, tc.limit, step.Limits[0].Limit)
			assert.Positive(t, step.Limits[0].AtSeconds)
			assert.NotEmpty(t, step.Exit.Detail)
			assert.Less(t, time.Since(began), 50*time.Second, "it does not wait for the time limit")
		})
	}
}

func TestBuildIsWatchedWithoutBeingDisturbed(t *testing.T) {
	e := buildEngine(t)
	ws := stageFiles(t, e, map[string]string{"package.json": `{"name":"app","version":"1.0.0"}`})
	b, err := e.Build(t.Context(), ws, runner.BuildSpec{
		Steps: [][]string{{"node", "-e", "console.log('at once')"}, {"no-such-command"}}, DiskBytes: 200 << 20, DiskFiles: 2000,
	})
	require.NoError(t, err)
	require.Len(t, b.Steps, 2)
	assert.True(t, b.Steps[0].Exit.OK(), "%+v", b.Steps[0])
	assert.Equal(t, evidence.NotStarted, b.Steps[1].Exit.Status)
	for _, s := range b.Steps {
		assert.Empty(t, s.Limits)
	}
}

// TestBuildStepThatSomebodyElseEnds is about a step that hangs, and is stopped by hand.
func TestBuildStepThatSomebodyElseEnds(t *testing.T) {
	e := buildEngine(t)
	ws := stageFiles(t, e, map[string]string{"package.json": `{"name":"app","version":"1.0.0"}`})
	go func() {
		for t.Context().Err() == nil {
			out, err := exec.CommandContext(t.Context(), "docker", "ps", "-q",
				"--filter", "label=assay.session="+e.cfg.Session, "--filter", "label=assay.role="+roleBuild).Output()
			if id := strings.TrimSpace(string(out)); err == nil && id != "" {
				_ = exec.CommandContext(t.Context(), "docker", "kill", id).Run()
				return
			}
		}
	}()
	_, err := e.Build(t.Context(), ws, runner.BuildSpec{Steps: [][]string{{"node", "-e", "setTimeout(() => {}, 60000)"}}, Timeout: 50 * time.Second})
	require.ErrorIs(t, err, runner.ErrMeddled)
}
