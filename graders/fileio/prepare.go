package fileio

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/dataset"
	"github.com/assay-run/assay/graders/settings"
)

// params is what Drive gets.
type params struct {
	Cases     []work            `json:"cases"`
	Env       map[string]string `json:"env,omitempty"`
	TimeoutNs time.Duration     `json:"timeoutNs"` // of all cases together
}

// work is a case as the driver knows it: nothing of what is expected but a bound of its size.
type work struct {
	Name       string        `json:"name"`
	File       string        `json:"file"` // of the input
	Bytes      int64         `json:"bytes"`
	Args       []string      `json:"args"`
	TimeNs     time.Duration `json:"timeNs"`
	InputFile  bool          `json:"inputFile"`        // the input is a file, not the standard input
	OutputFile bool          `json:"outputFile"`       // the same of the output
	Ending     string        `json:"ending,omitempty"` // of the output file, e.g. ".txt"
	KeepBytes  int64         `json:"keepBytes"`        // of the output
}

// truth is what Measure gets.
type truth struct {
	MemoryBytes int64   `json:"memoryBytes"`
	Cases       []known `json:"cases"`
}

// known is a case with what is expected of it.
type known struct {
	Name       string  `json:"name"`
	Group      string  `json:"group"`
	Weight     float64 `json:"weight"`
	TimeNs     int64   `json:"timeNs"`
	Rules      rules   `json:"rules"`
	Input      string  `json:"input,omitempty"` // only where an expression looks at it
	Expected   string  `json:"expected"`
	OutputFile bool    `json:"outputFile"`
}

// What is kept of an output is bounded by what is expected: enough to show what is wrong with it. What programs say beside it is bounded
// by the number of cases, since all of it is evidence.
const (
	keepStep  = 64 << 10
	keepMost  = 4 << 20
	keepWords = 16 << 20 // of all cases together
)

// keep is how much is kept of each stream of a case of so many, of which so much is expected.
func keep(cases int, expected int64) int64 {
	words := min(max(keepWords/int64(cases), keepStep), 1<<20)
	return min(words+2*roundUp(expected), keepMost)
}

// Prepare implements graders.Grader.
func (g *Grader) Prepare(ctx context.Context, p graders.Preparation) (graders.Prepared, error) {
	fail := func(err error) (graders.Prepared, error) {
		return graders.Prepared{}, fmt.Errorf("prepare %s: %w", g.name, err)
	}
	w, err := g.read(p.With)
	if err != nil {
		return fail(err)
	}
	if p.Files == nil {
		return fail(fmt.Errorf("the challenge has no files"))
	}
	list, err := w.find(p.Files)
	if err != nil {
		return fail(err)
	}
	m := maker{params: params{Env: w.Env, TimeoutNs: p.Timeout}, truth: truth{MemoryBytes: p.MemoryBytes}}
	if m.truth.MemoryBytes == 0 {
		m.truth.MemoryBytes = contractMemory
	}
	for i, c := range list {
		if err := m.add(g, p, w, c, i, len(list)); err != nil {
			return fail(err)
		}
	}
	set, err := dataset.Open(p.CacheDir, p.CacheLimit).Get(ctx, m.key(g.name), m.bytes+1<<20, m.fill)
	if err != nil {
		return fail(err)
	}
	out := graders.Prepared{Params: must(m.params), Truth: must(m.truth), Bytes: m.bytes, Release: set.Release}
	if !g.files() {
		out.StdinDir = set.Dir
		return out, nil
	}
	out.DataDir = set.Dir
	for _, c := range m.params.Cases {
		out.Files = append(out.Files, filepath.Join(set.Dir, c.File))
	}
	return out, nil
}

// maker puts the inputs of a scenario together.
type maker struct {
	params   params
	truth    truth
	inputs   [][]byte
	bytes    int64 // of inputs
	expected int64 // bytes of outputs
}

// add reads a case.
func (m *maker) add(g *Grader, p graders.Preparation, w with, c found, i, cases int) error {
	input, err := settings.ReadFile(p.Files, c.input, maxInputBytes)
	if err != nil {
		return err
	}
	expected, err := text(p.Files, c)
	if err != nil {
		return err
	}
	m.bytes += int64(len(input))
	m.expected += int64(len(expected))
	if m.bytes > maxInputsBytes || m.expected > maxExpectedAll {
		return fmt.Errorf("the inputs of the folder %s take more than %d MiB, or the outputs more than %d MiB", w.Cases, maxInputsBytes>>20, maxExpectedAll>>20)
	}
	r, weight := w.rulesOf(c)
	limit, toFile := settings.Duration(r.Time, defaultTime), r.places(w.Env, placeOutput)
	k := known{Name: c.name, Group: c.group, Weight: weight, TimeNs: int64(limit), Rules: r, Expected: expected, OutputFile: toFile}
	if r.looksAt("input") {
		k.Input = string(input)
	}
	m.truth.Cases = append(m.truth.Cases, k)
	m.params.Cases = append(m.params.Cases, work{
		InputFile: g.files(), OutputFile: toFile,
		Name: c.name, File: fmt.Sprintf("%03d%s", i+1, path.Ext(c.input)), Bytes: int64(len(input)), Args: r.Args, TimeNs: limit,
		Ending: path.Ext(c.expected), KeepBytes: keep(cases, int64(len(expected))),
	})
	m.inputs = append(m.inputs, input)
	return nil
}

// roundUp keeps the size of what is expected from being known exactly.
func roundUp(n int64) int64 { return (n + keepStep - 1) / keepStep * keepStep }

// key names the data set by its content.
func (m *maker) key(name string) string {
	h := sha256.New()
	for i, input := range m.inputs {
		fmt.Fprintf(h, "%s\x00%d\x00", m.params.Cases[i].File, len(input)) // a hash does not fail to be written
		h.Write(input)
	}
	return fmt.Sprintf("%s-v1-%s", name, hex.EncodeToString(h.Sum(nil)[:16]))
}

// fill implements dataset.Fill.
func (m *maker) fill(_ context.Context, dir string) (json.RawMessage, error) {
	for i, input := range m.inputs {
		if err := os.WriteFile(filepath.Join(dir, m.params.Cases[i].File), input, 0o644); err != nil {
			return nil, fmt.Errorf("write input: %w", err)
		}
	}
	return json.RawMessage(`{}`), nil
}
