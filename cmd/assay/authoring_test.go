package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/challenges/templates"
	"github.com/assay-run/assay/docs"
)

// authoringScript makes of docs/authoring.md what a reader does: it writes the files and runs the commands, in the order of the text. Commands that
// leave refuses are left out, with the output that belongs to them.
func authoringScript(t *testing.T, leave func(command string) bool) string {
	t.Helper()
	var script, files strings.Builder
	left, commands, written := false, 0, 0
	for i, b := range docs.Blocks(docs.Authoring()) {
		switch {
		case b.What == "run":
			require.Equal(t, "sh", b.Lang)
			for command := range strings.Lines(b.Text) {
				command = strings.TrimSpace(command)
				if left = leave(command); left {
					continue
				}
				commands++
				command = strings.Replace(command, "rm -r ", "rm ", 1)
				if strings.HasPrefix(command, "node ") {
					command = "exec " + command
				}
				fmt.Fprintln(&script, command)
			}
		case b.What == "output":
			if left {
				continue
			}
			for line := range strings.Lines(b.Text) {
				words := strings.Fields(line)
				for i, w := range words {
					words[i] = regexp.QuoteMeta(w)
				}
				fmt.Fprintf(&script, "stdout '%s'\n", strings.Join(words, ".* ?"))
			}
		case b.What != "":
			written++
			name := fmt.Sprintf("file-%d", i)
			fmt.Fprintf(&script, "mkdir %s\ncp %s %s\n", filepath.Dir(b.What), name, b.What)
			fmt.Fprintf(&files, "-- %s --\n%s", name, b.Text)
		}
	}
	require.Greater(t, commands, 3)
	require.Greater(t, written, 10)
	return script.String() + files.String()
}

// runScript runs the text of a script.
func runScript(t *testing.T, script string, setup func(*testscript.Env) error) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "authoring.txtar"), []byte(script), 0o644))
	testscript.Run(t, testscript.Params{Dir: dir, Setup: setup, Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits}})
}

// TestAuthoring follows docs/authoring.md, but for what needs Node or an engine.
func TestAuthoring(t *testing.T) {
	t.Parallel()
	script := authoringScript(t, func(command string) bool {
		return strings.HasPrefix(command, "node ") || strings.HasPrefix(command, "assay challenge test") || strings.HasPrefix(command, "assay run")
	})
	// The mistake that the text shows.
	script = strings.Replace(script, "assay list --challenges brackets", `exists brackets/starter/assay.json work/../brackets/brief.md
assay list --challenges brackets
stdout 'brackets +junior'`, 1)
	runScript(t, script, func(env *testscript.Env) error {
		env.Setenv("ASSAY_CACHE", env.WorkDir+"/.cache")
		env.Setenv("ASSAY_STATE", env.WorkDir+"/.state")
		return nil
	})
}

// TestAuthoringShowsTheMistake compares the message in docs/authoring.md with the real one.
func TestAuthoringShowsTheMistake(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "brackets")
	shown := ""
	for _, b := range docs.Blocks(docs.Authoring()) {
		if rel, ok := strings.CutPrefix(b.What, "brackets/"); ok {
			text := b.Text
			if rel == "challenge.yaml" {
				text = strings.Replace(text, "main.cases.right", "main.case.right", 1)
			}
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, rel)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, rel), []byte(text), 0o644))
		}
		if b.Lang == "text" && b.What == "" && strings.Contains(b.Text, "did you mean") {
			shown, _, _ = strings.Cut(strings.TrimPrefix(b.Text, "brackets/"), "…")
		}
	}
	require.NotEmpty(t, shown)
	p, err := openPlace(dir)
	require.NoError(t, err)
	_, err = p.load()
	require.Error(t, err)
	assert.Contains(t, err.Error(), shown)
}

// TestGeneratedDocs fails when a page of docs that is made from code is not what the code makes now.
func TestGeneratedDocs(t *testing.T) {
	t.Parallel()
	a := &app{env: func(string) (string, bool) { return "", false }}
	pages, err := a.generatedDocs()
	require.NoError(t, err)
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join("../../docs", filepath.FromSlash(name)))
		require.NoError(t, err, "run `make docs`")
		assert.Equal(t, want, string(got), "docs/%s is not current: run `make docs`", name)
	}
	entries, err := os.ReadDir("../../docs/challenges")
	require.NoError(t, err)
	for _, e := range entries {
		assert.Contains(t, pages, "challenges/"+e.Name(), "nothing makes this page any more: remove it")
	}
}

// TestPagesKeepSecrets holds that no page for candidates names a solution of ours: names tell what is wrong, and so what is right.
func TestPagesKeepSecrets(t *testing.T) {
	t.Parallel()
	a := &app{env: func(string) (string, bool) { return "", false }}
	all, err := a.challenges()
	require.NoError(t, err)
	pages, err := a.generatedDocs()
	require.NoError(t, err)
	for _, ch := range all {
		for _, f := range ch.Fixtures {
			assert.NotContains(t, pages["challenges/"+ch.ID+".md"], "solutions/"+f.Name)
			if f.Kind == "flawed" || f.Kind == "gaming" {
				assert.NotContains(t, pages["challenges/"+ch.ID+".md"], filepath.Base(f.Name))
				assert.NotContains(t, pages["challenges/"+ch.ID+".md"], f.About)
			}
		}
	}
}

// TestTemplates lints what `assay challenge new` writes; the end-to-end tests grade it.
func TestTemplates(t *testing.T) {
	t.Parallel()
	for _, kind := range templates.Kinds() {
		dir := filepath.Join(t.TempDir(), "some-challenge")
		require.NoError(t, templates.Write(kind, "some-challenge", dir))
		p, err := openPlace(dir)
		require.NoError(t, err)
		ch, err := challenges.Lint(p.fsys, p.only, kinds())
		require.NoError(t, err, kind)
		assert.Equal(t, kind, ch.Scenarios[0].Workload)
		assert.NotEmpty(t, ch.Digest)
		assert.Equal(t, kind != "http-load", len(ch.Used) > 0, "%s: the files that decide are in the digest", kind)
	}
}

// TestLint finds what a loading lets pass: expectations that contradict themselves, and what no submission could fulfil.
func TestLint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ file, old, with, want string }{
		{"challenge.yaml", "compare: text ", "compare: check\n      check: int(trim(output)) == 17", "cases/"},
		{"challenge.yaml", "verdict: fail, maxScore: 59}", "verdict: pass, maxScore: 40}", "78:18: verdict pass needs a score of 60 (passMark), but maxScore is 40"},
		{"challenge.yaml", "verdict: fail, maxScore: 59}", "verdict: fail, minScore: 60}", "verdict fail needs a score below 60 (passMark), but minScore is 60"},
		{"challenge.yaml", "verdict: pass, minScore: 95}", "verdict: pass}", "the reference needs a minScore"},
		{"challenge.yaml", "scenario: main, codes: [WRONG_OUTPUT]}", "scenario: main, codes: [CRASH]}", "flawed/forgets-negatives must get one of these as the control, but in mode quick its fixture must get none of them"},
		{"solutions/reference/assay.json", "main.mjs", "mian.mjs", `there is no file "mian.mjs" in solutions/reference, and nothing builds it`},
		{"starter/assay.json", "main.mjs", "./server.js", `there is no file "./server.js" in starter`},
	} {
		dir := filepath.Join(t.TempDir(), "some-challenge")
		require.NoError(t, templates.Write("stdin-stdout", "some-challenge", dir))
		name := filepath.Join(dir, filepath.FromSlash(tt.file))
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Contains(t, string(text), tt.old)
		require.NoError(t, os.WriteFile(name, []byte(strings.Replace(string(text), tt.old, tt.with, 1)), 0o644))
		p, err := openPlace(dir)
		require.NoError(t, err)
		_, err = challenges.Lint(p.fsys, p.only, kinds())
		assert.ErrorContains(t, err, tt.want, tt.with)
	}
}

// TestDigestCoversCases holds that a case cannot be changed in silence.
func TestDigestCoversCases(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "some-challenge")
	require.NoError(t, templates.Write("stdin-stdout", "some-challenge", dir))
	digest := func() string {
		p, err := openPlace(dir)
		require.NoError(t, err)
		list, err := p.load()
		require.NoError(t, err)
		require.Len(t, list, 1)
		return list[0].Digest
	}
	before := digest()
	assert.Equal(t, before, digest())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cases", "samples", "1.out"), []byte("18\n"), 0o644))
	assert.NotEqual(t, before, digest())
}

// TestReady tells a challenge that is not ready from one of which nothing can be said.
func TestReady(t *testing.T) {
	t.Parallel()
	ch := &challenges.Challenge{ID: "x", Fixtures: make([]challenges.Fixture, 2)}
	ok, wrong := fixtureResult{OK: true, Verdict: "pass", Seconds: 4}, fixtureResult{Verdict: "pass", Seconds: 8}
	invalid := fixtureResult{Verdict: "invalid", Seconds: 6}
	all := validateOptions{mode: "quick", only: everyFixture}
	for _, tt := range []struct {
		results []fixtureResult
		opts    validateOptions
		code    int
		want    string
	}{
		{[]fixtureResult{ok, ok}, all, exitPass, "x is READY for candidates: each of its 2 solutions got what it must. A grading takes about 4 s in mode quick."},
		{[]fixtureResult{ok}, validateOptions{mode: "quick", only: "flawed/*"}, exitPass, "Next: assay challenge test dir, with all of them."},
		{[]fixtureResult{ok, wrong, invalid}, all, exitFail, "x is NOT READY: 1 of 3 gradings did not end as challenge.yaml says."},
		{[]fixtureResult{ok, invalid}, all, exitInvalid, "Whether x is ready CANNOT BE TOLD: 1 of 2 gradings were invalid"},
	} {
		var out strings.Builder
		a := &app{stdio: stdio{out: &out}}
		err := a.sayReady(ch, "dir", tt.results, tt.opts)
		assert.Equal(t, tt.code, exitCode(t.Context(), err))
		assert.Contains(t, out.String(), tt.want)
	}
}
