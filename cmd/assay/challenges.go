package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/schemas"
)

// place is where challenges are: a folder that has them as folders.
type place struct {
	name string // as the user gave it; empty for those of this binary
	only string // the one folder that counts; empty for all
	fsys fs.FS
}

// places are the built-in challenges and those of --challenges.
func (a *app) places() ([]place, error) {
	all := []place{{fsys: challenges.Builtin()}}
	for _, dir := range a.challengeDirs {
		p, err := openPlace(dir)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// openPlace opens a folder of challenges, or the folder of one.
func openPlace(dir string) (place, error) {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return place{}, usagef("Give a folder that holds challenges, or begin one with `assay challenge new`.", "--challenges %s is no folder", dir)
	}
	if !isChallenge(dir) {
		return place{name: dir, fsys: os.DirFS(dir)}, nil
	}
	// "." has no name of its own.
	whole, err := filepath.Abs(dir)
	if err != nil {
		return place{}, fmt.Errorf("find %s: %w", dir, err)
	}
	return place{name: filepath.Dir(filepath.Clean(dir)), only: filepath.Base(whole), fsys: os.DirFS(filepath.Dir(whole))}, nil
}

// isChallenge says whether a folder is that of one challenge.
func isChallenge(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, challenges.Manifest))
	return err == nil
}

// load reads the challenges of a place.
func (p place) load() ([]*challenges.Challenge, error) {
	var all []*challenges.Challenge
	var err error
	if p.only != "" {
		var one *challenges.Challenge
		if one, err = challenges.Load(p.fsys, p.only, kinds()); err == nil {
			all = append(all, one)
		}
	} else {
		all, err = challenges.LoadAll(p.fsys, kinds())
	}
	if err == nil {
		if p.name != "" && len(all) == 0 {
			return nil, usagef("A challenge is a folder with a challenge.yaml; begin one with `assay challenge new`.", "%s has no challenge in it", p.name)
		}
		return all, nil
	}
	if p.name == "" {
		return nil, fmt.Errorf("load challenges: %w", err)
	}
	return nil, usagef("Correct them; `assay challenge lint DIR` checks one challenge.", "a challenge has mistakes:\n%w", p.locate(err))
}

// locate gives problems the path that the user knows.
func (p place) locate(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // a joined error is taken apart, not looked into
		var all []error
		for _, one := range joined.Unwrap() {
			all = append(all, p.locate(one))
		}
		return errors.Join(all...)
	}
	var problems schemas.Problems
	if !errors.As(err, &problems) {
		return err
	}
	located := make(schemas.Problems, len(problems))
	for i, problem := range problems {
		problem.File = filepath.Join(p.name, filepath.FromSlash(problem.File))
		located[i] = problem
	}
	return located
}

// challenges loads the challenges of this binary and those of --challenges. Two of one name are an error.
func (a *app) challenges() ([]*challenges.Challenge, error) {
	places, err := a.places()
	if err != nil {
		return nil, err
	}
	var all []*challenges.Challenge
	from := map[string]string{}
	for _, p := range places {
		list, err := p.load()
		if err != nil {
			return nil, err
		}
		for _, ch := range list {
			where := "the built-in one"
			if p.name != "" {
				where = filepath.Join(p.name, ch.ID)
			}
			if first, twice := from[ch.ID]; twice {
				return nil, usagef("Rename one of them: its folder and its id.", "two challenges are called %q: %s and %s", ch.ID, first, where)
			}
			from[ch.ID] = where
			all = append(all, ch)
		}
	}
	slices.SortFunc(all, func(a, b *challenges.Challenge) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// challenge finds one by its id.
func (a *app) challenge(id string) (*challenges.Challenge, error) {
	all, err := a.challenges()
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(all))
	for _, ch := range all {
		if ch.ID == id {
			return ch, nil
		}
		ids = append(ids, ch.ID)
	}
	hint := "There are: " + strings.Join(ids, ", ") + "."
	if len(a.challengeDirs) == 0 {
		hint += " For one of your own add --challenges DIR."
	}
	return nil, usagef(hint, "no challenge is called %q", id)
}

// kinds tells the loader which workloads there are and what they measure.
func kinds() challenges.Kinds {
	k := challenges.Kinds{}
	for _, g := range allGraders() {
		kind := challenges.Kind{Metrics: g.Metrics(), Check: g.Check}
		if s, ok := g.(graders.Settings); ok {
			kind.Settings, kind.Files = s.SettingsSchema(), s.CheckFiles
		}
		if s, ok := g.(graders.Linter); ok {
			kind.Lint = s.LintFiles
		}
		k[g.Name()] = kind
	}
	return k
}
