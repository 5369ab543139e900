//go:build integration

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/docs"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/fileio"
	"github.com/assay-run/assay/graders/httpscript"
	"github.com/assay-run/assay/graders/httpthresholds"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
	"github.com/assay-run/assay/runner/probe"
)

// TestAuthoringOnTheEngine does all that docs/authoring.md says: its files, its commands, and what it shows of their output.
func TestAuthoringOnTheEngine(t *testing.T) {
	p := newPlace(t)
	dir := t.TempDir()
	var out string
	commands := 0
	for _, b := range docs.Blocks(docs.Authoring()) {
		switch b.What {
		case "":
		case "run":
			out = ""
			for command := range strings.Lines(b.Text) {
				out += p.shell(dir, command)
				commands++
			}
		case "output":
			for line := range strings.Lines(b.Text) {
				words := strings.Fields(line)
				for i, w := range words {
					words[i] = regexp.QuoteMeta(w)
				}
				assert.Regexp(t, strings.Join(words, `[^\n]*\s`), out)
			}
		default:
			name := filepath.Join(dir, b.What)
			require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
			require.NoError(t, os.WriteFile(name, []byte(b.Text), 0o644))
		}
	}
	assert.Greater(t, commands, 6)
	assert.FileExists(t, filepath.Join(dir, "work", "BRIEF.md"))
}

// shell runs a line in a folder, with assay in its path, and returns its standard output. When gradings were invalid it runs it again: then
// the machine was busy, which says nothing about assay. Three times in a row are a result.
func (p *place) shell(dir, line string) string {
	p.t.Helper()
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Minute)
		cmd := exec.CommandContext(ctx, "sh", "-c", line)
		cmd.Dir, cmd.Env = dir, append(slices.Clone(p.env), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		cancel()
		if err != nil && exitCode(p.t, err) == 4 && try < 3 {
			p.t.Logf("invalid, once more: %s", &stdout)
			continue
		}
		require.NoError(p.t, err, "%s\n%s\n%s", line, &stdout, &stderr)
		return stdout.String()
	}
}

// kitBench runs tiny submissions on one engine.
type kitBench struct{ engine runner.Engine }

func newKitBench(t *testing.T) *kitBench {
	t.Helper()
	e, err := docker.New(t.Context(), docker.Config{
		Session: "kit", StateID: "kit-integration-test", DriverBinary: binary, DriverArgs: []string{"driver"}, Image: "assay/node:24",
		BuildImage: "assay/node-build:24", ProbeSource: probe.Source(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return &kitBench{e}
}

// judged runs a program of one file on a workload and returns what the workload makes of it.
func (b *kitBench) judged(t *testing.T, g graders.Grader, with map[string]any, files fstest.MapFS, program string, services ...string) evidence.Measures {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.mjs"), []byte(program), 0o644))
	ws, err := b.engine.Stage(t.Context(), runner.StageSpec{Name: "candidate", Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, ws.Close(context.WithoutCancel(t.Context()))) })
	require.NoError(t, g.Check(with))
	limits := runner.DefaultLimits()
	p, err := g.Prepare(t.Context(), graders.Preparation{
		Scenario: "main", With: with, Seed: bytes.Repeat([]byte{3}, 32), Timeout: time.Minute, CacheDir: t.TempDir(), Files: files,
		MemoryBytes: limits.MemoryBytes, Services: services, Report: func(workload.Progress) {},
	})
	require.NoError(t, err)
	if p.Release != nil {
		t.Cleanup(p.Release)
	}
	run, err := runner.Drive(t.Context(), b.engine, runner.RunSpec{
		Scenario: "main", Role: evidence.Candidate, Workload: g.Name(), Params: p.Params, Workspace: ws, Start: []string{"node", "main.mjs"},
		Limits: limits, Services: services, DataDir: p.DataDir, StdinDir: p.StdinDir, Probe: true, Timeout: 2 * time.Minute,
		Slot: runner.Slot{CandidateCores: "1", DriverCores: "0"},
	})
	require.NoError(t, err, "whatever a submission does is a result")
	m, err := g.Measure(run, p.Truth)
	require.NoError(t, err)
	return m
}

func codesIn(m evidence.Measures) []string {
	list := []string{}
	for _, f := range m.Findings {
		list = append(list, f.Code)
	}
	slices.Sort(list)
	return list
}

func kitFile(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

// TestKitFiles gives tiny programs their input in both ways.
func TestKitFiles(t *testing.T) {
	bench := newKitBench(t)
	cases := fstest.MapFS{
		"cases/samples/1.in": kitFile("ada\n"), "cases/samples/1.out": kitFile("ADA\n"),
		"cases/edge/empty.in": kitFile(""), "cases/edge/empty.out": kitFile(""),
	}
	stdio := `import { readFileSync } from 'node:fs'; const read = () => readFileSync(0, 'utf8'); const write = (text) => process.stdout.write(text);`
	files := `import { readFileSync, writeFileSync } from 'node:fs'; const read = () => readFileSync(process.argv[2], 'utf8'); const write = (text) => writeFileSync(process.argv[3], text);`
	for name, tt := range map[string]struct {
		program string
		codes   []string
		right   float64
	}{
		"good":    {`write(read().toUpperCase());`, []string{}, 1},
		"wrong":   {`write(read());`, []string{"WRONG_OUTPUT"}, 0.5},
		"slow":    {`read(); for (;;);`, []string{"SLOW"}, 0},
		"waits":   {`read(); setInterval(() => {}, 1000);`, []string{"HANG"}, 0},
		"crashes": {`if (read() === '') throw new Error('empty'); write('ADA');`, []string{"CRASH"}, 0.5},
	} {
		for way, g := range map[string]graders.Grader{stdio: fileio.NewStdio(), files: fileio.NewFiles()} {
			t.Run(g.Name()+" "+name, func(t *testing.T) {
				m := bench.judged(t, g, map[string]any{"time": "1s"}, cases, way+tt.program)
				assert.Equal(t, tt.codes, codesIn(m), "%+v", m.Findings)
				assert.InDelta(t, tt.right, m.Values["cases.right"], 1e-9, "%+v", m.Cases)
				assert.Positive(t, m.Values["mem.peak"])
			})
		}
	}
}

// kitServer is a service that counts, with a place for a fault.
const kitServer = `
import { createServer } from 'node:http';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
const file = process.env.DATA_DIR + '/count';
let count = existsSync(file) ? readFileSync(file, 'utf8').length : 0;
createServer(async (req, res) => {
  if (req.url === '/healthz') return res.end('ok');
  let text = ''; for await (const c of req) text += c;
  %s
  count += 1;
  appendFileSync(file, 'x');
  res.writeHead(200, { 'content-type': 'application/json' });
  res.end(JSON.stringify({ count }));
}).listen(process.env.PORT);`

func TestKitScript(t *testing.T) {
	bench := newKitBench(t)
	with := map[string]any{
		"heartbeat": map[string]any{"hz": 50},
		"steps": []any{
			map[string]any{"request": "POST /count", "body": map[string]any{"a": 1}, "within": "1s", "expect": map[string]any{"status": 200, "json": map[string]any{"count": 1}}, "capture": map[string]any{"first": "body.count"}},
			map[string]any{"request": "POST /count", "body": map[string]any{"a": 2}, "within": "1s", "expect": map[string]any{"that": "body.count == first + 1"}},
			map[string]any{"wait": "300ms"}, // for some heartbeats
			map[string]any{"restart": "kill"},
			map[string]any{"wait": "300ms"}, // the first process may have crashed before a beat counted
			map[string]any{"request": "POST /count", "body": map[string]any{"a": 3}, "within": "1s", "code": "STATE_LOST", "expect": map[string]any{"that": "body.count >= 2"}},
		},
	}
	for name, tt := range map[string]struct {
		fault string
		codes []string
		right float64
	}{
		"good":    {"", []string{}, 1},
		"wrong":   {`if (JSON.parse(text).a === 2) count += 1;`, []string{"WRONG_OUTPUT"}, 2.0 / 3},
		"slow":    {`if (JSON.parse(text).a === 2) await new Promise((done) => setTimeout(done, 3000));`, []string{"HANG"}, 2.0 / 3},
		"forgets": {`if (JSON.parse(text).a === 3) count = 0;`, []string{"STATE_LOST"}, 2.0 / 3},
		"crashes": {`if (JSON.parse(text).a === 2) throw new Error('two');`, []string{"CRASH"}, 2.0 / 3},
	} {
		t.Run(name, func(t *testing.T) {
			m := bench.judged(t, httpscript.New(), with, nil, fmt.Sprintf(kitServer, tt.fault))
			assert.Contains(t, m.Values, "cases.right")
			assert.Equal(t, tt.codes, codesIn(m), "%+v", m.Findings)
			assert.InDelta(t, tt.right, m.Values["cases.right"], 1e-9, "%+v", m.Cases)
			assert.Positive(t, m.Values["hb.p99"])
			assert.Positive(t, m.Values["restart.max"])
		})
	}
}

func TestKitLoad(t *testing.T) {
	bench := newKitBench(t)
	with := map[string]any{
		"heartbeat": map[string]any{}, "warmUp": "500ms", "within": "2s",
		"load":     []any{map[string]any{"rate": 50, "for": "2s"}},
		"requests": []any{map[string]any{"request": "POST /count", "body": map[string]any{"i": "{{i}}"}, "expect": map[string]any{"that": "body.count > 0"}}},
	}
	good := 0.0
	for _, tt := range []struct {
		name, fault string
		codes       []string
	}{
		{"good", "", []string{}},
		{"wrong", `if (JSON.parse(text).i % 2) count = -1;`, []string{"WRONG_OUTPUT"}},
		{"slow", `for (const end = Date.now() + 15; Date.now() < end; );`, []string{}},
		{"crashes", `if (JSON.parse(text).i > 50) process.exit(7);`, []string{"CRASH"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := bench.judged(t, httpthresholds.New(), with, nil, fmt.Sprintf(kitServer, tt.fault))
			assert.Equal(t, tt.codes, codesIn(m), "%+v", m.Findings)
			switch tt.name {
			case "good":
				good = m.Values["latency.p50"]
				assert.InDelta(t, 0, m.Values["errors.share"], 0.01)
				assert.InDelta(t, 1, m.Values["answers.right"], 0)
				assert.Positive(t, m.Values["hb.p99"])
			case "wrong":
				assert.Less(t, m.Values["answers.right"], 0.9)
			case "slow":
				assert.Greater(t, m.Values["latency.p50"], 3*good)
			case "crashes":
				assert.Greater(t, m.Values["errors.share"], 0.3)
				assert.Zero(t, m.Values["survived"])
			}
		})
	}
}

// kitServices counts in PostgreSQL and in Redis, with their protocols by hand: the image has no packages.
const kitServices = `
import { createServer } from 'node:http';
import { connect } from 'node:net';

function ask(url, say) {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname);
    let got = Buffer.alloc(0);
    socket.on('error', reject).on('close', () => reject(new Error('closed: ' + got)));
    socket.on('data', (chunk) => {
      got = Buffer.concat([got, chunk]);
      const answer = say(socket, got);
      if (answer !== undefined) { resolve(answer); socket.destroy(); }
    });
    say(socket, got);
  });
}

const redis = (command) => { let sent = false; const url = new URL(process.env.REDIS_URL); return ask(url, (socket, got) => {
  if (!sent) { sent = true; socket.write('AUTH ' + url.username + ' ' + url.password + '\r\n' + command + '\r\n'); return; }
  return got.toString().match(/^\+OK\r\n:(\d+)\r\n/)?.[1];
}); };

const message = (type, text) => { const body = Buffer.from(text); const head = Buffer.alloc(type.length + 4); head.write(type); head.writeInt32BE(body.length + 4, type.length); return Buffer.concat([head, body]); };
const postgres = (sql) => { let state = 0; const url = new URL(process.env.DATABASE_URL); return ask(url, (socket, got) => {
  if (state === 0) { state = 1; socket.write(message('', '\0\x03\0\0user\0' + url.username + '\0database\0' + url.pathname.slice(1) + '\0\0')); return; }
  if (state === 1 && got.includes(Buffer.from('Z\0\0\0\x05I'))) { state = 2; socket.write(message('Q', sql + '\0')); return; }
  return got.toString('latin1').match(/n=(\d+);/)?.[1];
}); };

createServer(async (req, res) => {
  if (req.url === '/healthz') return res.end('ok');
  try {
    const rows = await postgres("insert into hits default values; select 'n=' || count(*) || ';' from hits");
    res.end(JSON.stringify({ rows: Number(rows), hits: Number(await redis('INCR hits')) }));
  } catch (err) { res.statusCode = 500; res.end(String(err.stack)); }
}).listen(process.env.PORT);`

// TestKitServices gives a script's submission real servers.
func TestKitServices(t *testing.T) {
	bench := newKitBench(t)
	with := map[string]any{
		"database": map[string]any{"sql": "schema.sql"},
		"steps":    []any{map[string]any{"request": "GET /", "times": 3, "expect": map[string]any{"json": map[string]any{"rows": "{{i}}", "hits": "{{i}}"}}}},
	}
	files := fstest.MapFS{"schema.sql": kitFile("create table hits (id serial primary key); create index on hits (id);")}
	m := bench.judged(t, httpscript.New(), with, files, kitServices, "postgres", "redis")
	assert.Empty(t, m.Findings)
	assert.InDelta(t, 1, m.Values["cases.right"], 0, "%+v", m.Cases)
	assert.InDelta(t, 3, m.Values["db.statements"], 0)
	assert.GreaterOrEqual(t, m.Values["db.connections"], 1.0)
}
