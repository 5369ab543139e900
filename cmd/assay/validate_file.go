package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/grading"
)

// validationSchema names the form of the result file.
const validationSchema = "assay.validation/1"

// validation is the result file of `assay validate`.
type validation struct {
	Schema  string          `json:"schema"`
	Assay   string          `json:"assay"` // version
	Summary stability       `json:"summary"`
	Results []fixtureResult `json:"results"`
}

// validationFile is a result file that grows with every grading.
type validationFile struct {
	name string // empty for none
	of   validation
	// fresh says that what may be there is of another validation: it is kept beside.
	fresh bool
}

// openValidation reads the file that a validation goes on with, or begins one.
func openValidation(opts validateOptions) (*validationFile, error) {
	f := &validationFile{name: opts.json, fresh: !opts.goOn, of: validation{Schema: validationSchema, Assay: assayVersion(), Results: []fixtureResult{}}}
	f.of.Summary.Neighbour = opts.neighbour
	if !opts.goOn {
		if f.name == "" {
			return f, nil
		}
		return f, f.try()
	}
	if f.name == "" {
		return nil, usagef("Add --json FILE, with the file of the validation to go on with.", "--continue needs the gradings that there are")
	}
	data, err := os.ReadFile(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		return f, f.try()
	}
	if err != nil {
		return nil, usagef("Choose a file that you can read.", "read validation: %w", err)
	}
	var before validation
	switch err := json.Unmarshal(data, &before); {
	case err != nil || before.Schema != validationSchema:
		return nil, usagef("Choose another file; this one is kept as it is.", "%s is no result of assay validate", f.name)
	case before.Assay != f.of.Assay:
		return nil, usagef("Use that version, or begin another file: what two versions say must not be mixed.",
			"the gradings of %s were made by Assay %s, this is %s", f.name, before.Assay, f.of.Assay)
	case before.Summary.Neighbour != opts.neighbour:
		return nil, usagef("Begin another file for those with --neighbour.", "the gradings of %s were made with another --neighbour", f.name)
	}
	f.of = before
	return f, nil
}

// find is a grading that was made before of the same solution in the same way. Invalid ones say nothing and are made again.
func (f *validationFile) find(ch *challenges.Challenge, node, mode, fixture string, run int) (fixtureResult, bool) {
	for _, r := range f.of.Results {
		if r.Challenge == ch.ID && r.Digest == ch.Digest && r.Node == node && r.Mode == mode && r.Fixture == fixture && r.Run == run &&
			r.Verdict != string(grading.Invalid) {
			return r, true
		}
	}
	return fixtureResult{}, false
}

// add keeps a grading, in place of what was there of the same solution and run.
func (f *validationFile) add(r fixtureResult) error {
	if f.name == "" {
		return nil
	}
	kept := f.of.Results[:0]
	for _, k := range f.of.Results {
		if k.Challenge != r.Challenge || k.Node != r.Node || k.Mode != r.Mode || k.Fixture != r.Fixture || k.Run != r.Run {
			kept = append(kept, k)
		}
	}
	f.of.Results = append(kept, r)
	if f.fresh {
		if err := os.Rename(f.name, f.name+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep earlier validation: %w", err)
		}
		f.fresh = false
	}
	return f.write()
}

// try learns now, not in an hour, that the file cannot be written. What is there stays: nothing has been graded yet.
func (f *validationFile) try() error {
	out, err := os.CreateTemp(filepath.Dir(f.name), ".validation-*.json")
	if err != nil {
		return usagef("Choose a file that you can write.", "write validation: %w", err)
	}
	return errors.Join(out.Close(), os.Remove(out.Name()))
}

// write replaces the file as a whole.
func (f *validationFile) write() error {
	f.of.Summary = summarise(f.of.Results, f.of.Summary.Neighbour)
	data, err := json.MarshalIndent(f.of, "", "  ")
	if err != nil {
		return fmt.Errorf("encode validation: %w", err)
	}
	err = replaceFile(f.name, func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
	if err != nil {
		return usagef("Choose a file that you can write.", "write validation: %w", err)
	}
	return nil
}
