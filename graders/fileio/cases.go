package fileio

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/assay-run/assay/graders/settings"
	"github.com/assay-run/assay/internal/schemas"
)

// Bounds of the cases of a scenario. Inputs are files of a challenge's folder, so they are of a size that one keeps in a repository.
const (
	maxCases         = 300
	maxInputBytes    = 16 << 20 // of one case
	maxCheckedInputs = 32 << 20 // of all cases where an expression looks at it: they become part of the evidence
	maxInputsBytes   = 128 << 20
	maxExpectedBytes = 2 << 20 // of one case
	maxExpectedAll   = 8 << 20
)

// found is a case as the folder has it.
type found struct {
	name     string // path below the folder of the cases, without endings
	group    string
	input    string // path in the challenge's folder
	expected string // the same; empty where an expression decides alone
}

func (c found) files() []string {
	if c.expected == "" {
		return []string{c.input}
	}
	return []string{c.input, c.expected}
}

// find lists the cases of the folder, sorted by name. Its errors say which setting to change.
func (w with) find(files fs.FS) ([]found, error) {
	at := settings.At("cases")
	if info, err := fs.Stat(files, w.Cases); err != nil || !info.IsDir() {
		return nil, settings.Wrong(at, "there is no folder %s in the challenge's folder; put the cases there, as NAME/in.txt and NAME/out.txt or as NAME.in and NAME.out", w.Cases)
	}
	byName, err := w.pair(files)
	if err != nil {
		return nil, err
	}
	list := slices.SortedFunc(maps.Values(byName), func(a, b found) int { return cmp.Compare(a.name, b.name) })
	var errs []error
	switch {
	case len(list) == 0:
		errs = append(errs, settings.Wrong(at, "the folder %s has no cases; add them as NAME/in.txt and NAME/out.txt, or as NAME.in and NAME.out", w.Cases))
	case len(list) > maxCases:
		errs = append(errs, settings.Wrong(at, "the folder %s has %d cases; at most %d are allowed", w.Cases, len(list), maxCases))
	}
	for _, c := range list {
		r, _ := w.rulesOf(c)
		switch {
		case c.input == "":
			errs = append(errs, settings.Wrong(at, "case %s has an expected output, %s, but no input", schemas.Quote(c.name), c.expected))
		case c.expected == "" && (r.Compare != compareCheck || r.looksAt("expected")):
			errs = append(errs, settings.Wrong(at, "case %s has an input, %s, but no expected output", schemas.Quote(c.name), c.input))
		}
	}
	for i, e := range w.Each {
		if !slices.ContainsFunc(list, func(c found) bool { ok, _ := path.Match(e.Cases, c.name); return ok }) {
			names := make([]string, 0, len(list))
			for _, c := range list {
				names = append(names, c.name)
			}
			errs = append(errs, settings.Wrong(settings.At("each", i, "cases"), "%s fits no case: * and ? stand for characters of one name, without /, and there is no {a,b}%s", schemas.Quote(e.Cases), schemas.Choices(e.Cases, names)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return list, nil
}

// pair puts inputs and expected outputs together.
func (w with) pair(files fs.FS) (map[string]found, error) {
	byName := map[string]found{}
	var errs []error
	err := fs.WalkDir(files, w.Cases, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel := strings.TrimPrefix(name, w.Cases+"/")
		key, isInput, ok := role(rel)
		if !ok {
			if !strings.EqualFold(path.Ext(rel), ".md") {
				errs = append(errs, settings.Wrong(settings.At("cases"), "%s belongs to no case; inputs are NAME/in.txt, in/NAME.txt or NAME.in, expected outputs NAME/out.txt, out/NAME.txt or NAME.out", name))
			}
			return nil
		}
		c := byName[key]
		c.name, c.group = key, groupOf(key)
		place := &c.expected
		if isInput {
			place = &c.input
		}
		if *place != "" {
			errs = append(errs, settings.Wrong(settings.At("cases"), "case %s is there twice: %s and %s", schemas.Quote(key), *place, name))
		}
		*place = name
		byName[key] = c
		return nil
	})
	if err != nil {
		return nil, settings.Wrong(settings.At("cases"), "the folder %s cannot be read: %v", w.Cases, err)
	}
	return byName, errors.Join(errs...)
}

// Names by which inputs and expected outputs are known.
var (
	inputNames    = []string{"in", "input"}
	expectedNames = []string{"out", "output", "expected", "ans", "answer"}
)

// role says of a file below the folder of the cases which case it belongs to, and whether it is the input.
func role(rel string) (name string, input, ok bool) {
	dir, base := path.Split(rel)
	stem, ending := strings.TrimSuffix(base, path.Ext(base)), strings.TrimPrefix(path.Ext(base), ".")
	dir = strings.TrimSuffix(dir, "/")
	kind := func(word string) (input, ok bool) {
		word = strings.ToLower(word)
		return slices.Contains(inputNames, word), slices.Contains(inputNames, word) || slices.Contains(expectedNames, word)
	}
	if input, ok = kind(stem); ok && dir != "" { // NAME/in.txt
		return dir, input, true
	}
	if input, ok = kind(ending); ok && stem != "" { // NAME.in
		return path.Join(dir, stem), input, true
	}
	parts := strings.Split(dir, "/")
	for i, part := range parts { // in/NAME.txt
		if input, ok = kind(part); ok && stem != "" {
			return path.Join(append(slices.Delete(parts, i, i+1), stem)...), input, true
		}
	}
	return "", false, false
}

// groupOf is the group of a case.
func groupOf(name string) string {
	first, _, deeper := strings.Cut(name, "/")
	if deeper && slices.Contains([]string{groupSamples, groupEdge, groupLarge}, first) {
		return first
	}
	return groupOther
}

// sizes checks the bounds of the cases, and that what is expected is text.
func (w with) sizes(files fs.FS, list []found) error {
	var errs []error
	var inputs, outputs, checked int64
	at := settings.At("cases")
	for _, c := range list {
		info, err := fs.Stat(files, c.input)
		if err != nil {
			errs = append(errs, settings.Wrong(at, "%s cannot be read: %v", c.input, err))
			continue
		}
		if r, _ := w.rulesOf(c); r.looksAt("input") {
			checked += info.Size()
		}
		if info.Size() > maxInputBytes {
			errs = append(errs, settings.Wrong(at, "%s has %d KiB; at most %d KiB are allowed for an input", c.input, info.Size()>>10, maxInputBytes>>10))
		}
		expected, err := text(files, c)
		if err != nil {
			errs = append(errs, err)
		}
		inputs, outputs = inputs+info.Size(), outputs+int64(len(expected))
	}
	if inputs > maxInputsBytes || outputs > maxExpectedAll {
		errs = append(errs, settings.Wrong(at, "the inputs in %s take %d MiB and the outputs %d MiB; at most %d MiB and %d MiB are allowed together",
			w.Cases, inputs>>20, outputs>>20, maxInputsBytes>>20, maxExpectedAll>>20))
	}
	if checked > maxCheckedInputs {
		errs = append(errs, settings.Wrong(at, "the inputs that a check looks at take %d MiB; at most %d MiB are allowed together: give large cases another compare with each, or make the inputs smaller", checked>>20, maxCheckedInputs>>20))
	}
	return errors.Join(errs...)
}

// text reads an expected output.
func text(files fs.FS, c found) (string, error) {
	if c.expected == "" {
		return "", nil
	}
	data, err := settings.ReadFile(files, c.expected, maxExpectedBytes)
	if err != nil {
		return "", settings.Wrong(settings.At("cases"), "%v", err)
	}
	if !utf8.Valid(data) {
		return "", settings.Wrong(settings.At("cases"), "%s is not UTF-8 text", c.expected)
	}
	return string(data), nil
}
