// Totals counts what scripts/test has recorded in a folder and prints it as one line, "N passed, N failed". Its exit code
// is 1 when anything failed or nothing passed.
//
// It reads stages.tsv (a stage and its outcome a line), the *.json files of go test -json, and fixtures*.json of assay
// validate.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: totals DIR")
		os.Exit(2)
	}
	t, err := count(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "totals:", err)
		os.Exit(1)
	}
	for _, name := range t.names {
		fmt.Println("failed:", name)
	}
	line := t.String() + "\n"
	fmt.Print(line)
	if err := os.WriteFile(filepath.Join(os.Args[1], "totals"), []byte(line), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "totals:", err)
		os.Exit(1)
	}
	if t.failed > 0 || t.passed == 0 {
		os.Exit(1)
	}
}

type totals struct {
	passed, failed, skipped int
	names                   []string // of what failed
}

func (t *totals) String() string {
	s := fmt.Sprintf("%d passed, %d failed", t.passed, t.failed)
	if t.skipped > 0 {
		s += fmt.Sprintf(", %d skipped", t.skipped)
	}
	return s
}

func (t *totals) add(name, outcome string) {
	switch outcome {
	case "pass":
		t.passed++
	case "skip":
		t.skipped++
	case "fail":
		t.failed++
		t.names = append(t.names, name)
	}
}

func count(dir string) (*totals, error) {
	t := &totals{}
	if err := read(filepath.Join(dir, "stages.tsv"), t.stages); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list results: %w", err)
	}
	for _, file := range files {
		parse := t.tests
		if strings.HasPrefix(filepath.Base(file), "fixtures") {
			parse = t.fixtures
		}
		if err := read(file, parse); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func read(file string, parse func(io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("open results: %w", err)
	}
	defer f.Close()
	if err := parse(f); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(file), err)
	}
	return nil
}

func (t *totals) stages(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, outcome, ok := strings.Cut(lines.Text(), "\t")
		if !ok || outcome != "pass" && outcome != "fail" {
			return fmt.Errorf("line %q is not a stage and its outcome", lines.Text())
		}
		t.add(name, outcome)
	}
	return lines.Err()
}

// tests counts tests and subtests. A package that fails without a failing test, because it does not compile or panics,
// counts as one.
func (t *totals) tests(r io.Reader) error {
	failed := map[string]bool{} // packages with a failing test
	dec := json.NewDecoder(r)
	for {
		var e struct{ Action, Package, Test string }
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("decode event: %w", err)
		}
		switch {
		case e.Test != "":
			failed[e.Package] = failed[e.Package] || e.Action == "fail"
			t.add(e.Package+" "+e.Test, e.Action)
		case e.Action == "fail" && !failed[e.Package]:
			t.add(e.Package, "fail")
		}
	}
}

func (t *totals) fixtures(r io.Reader) error {
	var all struct {
		Results []struct {
			Challenge string `json:"challenge"`
			Fixture   string `json:"fixture"`
			OK        bool   `json:"ok"`
		} `json:"results"`
	}
	if err := json.NewDecoder(r).Decode(&all); err != nil {
		return fmt.Errorf("decode fixtures: %w", err)
	}
	if len(all.Results) == 0 {
		return errors.New("no fixture was graded")
	}
	for _, f := range all.Results {
		outcome := "pass"
		if !f.OK {
			outcome = "fail"
		}
		t.add("fixture "+f.Challenge+"/"+f.Fixture, outcome)
	}
	return nil
}
