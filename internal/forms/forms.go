// Package forms makes the forms of a challenge whose starter has faults that differ from candidate to candidate: one good program, and for each
// fault the pieces of text that put it in. A form is the program with one fault of each group; its number is those choices as digits.
//
// In the challenge's folder, forms/forms.json has the base (a folder, usually the reference), what of it is left out, what is added, and the
// groups; forms/CAUSE.txt has the pieces of one fault.
package forms

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Manifest is where a challenge says that it has forms.
const Manifest = "forms/forms.json"

// submission is the file that says which form a submission is of, formLine what it says.
const submission = "assay.json"

var formLine = regexp.MustCompile(`("form": )\d+`)

// Bounds of what is read.
const (
	maxFiles     = 500
	maxFileBytes = 1 << 20
	maxForms     = 1 << 16
)

// Set is all forms of a challenge.
type Set struct {
	groups [][]string
	base   map[string]string
	pieces map[string][]piece // by cause
}

// piece is one change: what stands in the base, and what stands there in a form.
type piece struct {
	file          string
	healthy, slow string
	place         bool // what a diagnosis should name; other pieces only prepare for it
}

// Place is where a fault is in a form. Lines count from 1; both are part of it.
type Place struct {
	Cause string `json:"cause"`
	File  string `json:"file"`
	From  int    `json:"from"`
	To    int    `json:"to"`
}

// Has says whether a challenge has forms.
func Has(challenge fs.FS) bool {
	_, err := fs.Stat(challenge, Manifest)
	return err == nil
}

// Files are the paths of what forms are made from, beside the base.
func Files(challenge fs.FS) ([]string, error) {
	var list []string
	err := fs.WalkDir(challenge, path.Dir(Manifest), func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("list forms: %w", err)
		case len(list) >= maxFiles:
			return fmt.Errorf("list forms: more than %d files", maxFiles)
		case !d.IsDir():
			list = append(list, name)
		}
		return nil
	})
	return list, err
}

// Load reads the forms of the challenge in a folder, and checks that every piece fits.
func Load(challenge fs.FS) (*Set, error) {
	data, err := fs.ReadFile(challenge, Manifest)
	if err != nil {
		return nil, fmt.Errorf("read forms: %w", err)
	}
	var m struct {
		Base   string     `json:"base"`
		Leave  []string   `json:"leave"`
		Add    string     `json:"add"`
		Groups [][]string `json:"groups"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("read %s: %w", Manifest, err)
	}
	s := &Set{groups: m.Groups, base: map[string]string{}, pieces: map[string][]piece{}}
	for _, folder := range []string{m.Base, m.Add} {
		if err := s.read(challenge, folder, m.Leave); err != nil {
			return nil, err
		}
		m.Leave = nil
	}
	if s.Count() < 1 || s.Count() > maxForms {
		return nil, fmt.Errorf("read %s: there must be 1 to %d forms, not %d", Manifest, maxForms, s.Count())
	}
	for _, cause := range s.All() {
		file := "forms/" + cause + ".txt"
		text, err := fs.ReadFile(challenge, file)
		if err != nil {
			return nil, fmt.Errorf("read cause: %w", err)
		}
		if s.pieces[cause], err = parse(string(text)); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		if _, _, err := s.apply([]string{cause}); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
	}
	return s, nil
}

// read takes over the files of a folder.
func (s *Set) read(challenge fs.FS, folder string, leave []string) error {
	files, err := fs.Sub(challenge, folder)
	if err != nil {
		return fmt.Errorf("open %s: %w", folder, err)
	}
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("list %s: %w", folder, err)
		case d.IsDir() && d.Name() == "node_modules":
			return fs.SkipDir
		case d.IsDir() || slices.Contains(leave, name):
			return nil
		case len(s.base) >= maxFiles:
			return fmt.Errorf("list %s: more than %d files", folder, maxFiles)
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("read %s: %w", path.Join(folder, name), err)
		}
		if len(data) > maxFileBytes {
			return fmt.Errorf("read %s: more than %d bytes", path.Join(folder, name), maxFileBytes)
		}
		s.base[name] = string(data)
		return nil
	})
}

// parse reads the pieces of a cause: "edit FILE" or "place FILE", then the lines between --- healthy, --- slow and --- end.
func parse(text string) ([]piece, error) {
	var list []piece
	for rest := text; strings.TrimSpace(rest) != ""; {
		head, after, ok := strings.Cut(rest, "\n--- healthy\n")
		healthy, after, ok2 := strings.Cut(after, "--- slow\n")
		slow, after, ok3 := strings.Cut(after, "--- end\n")
		kind, file, ok4 := strings.Cut(strings.TrimSpace(head), " ")
		if !ok || !ok2 || !ok3 || !ok4 || kind != "edit" && kind != "place" || healthy == "" {
			return nil, errors.New("a piece is edit FILE or place FILE, --- healthy, --- slow and --- end")
		}
		list = append(list, piece{file: file, healthy: healthy, slow: slow, place: kind == "place"})
		rest = after
	}
	if !slices.ContainsFunc(list, func(p piece) bool { return p.place && p.slow != "" }) {
		return nil, errors.New("no piece is a place")
	}
	return list, nil
}

// Count is how many forms there are; they are numbered from 0.
func (s *Set) Count() int {
	n := 1
	for _, g := range s.groups {
		if n *= len(g); n > maxForms {
			break
		}
	}
	return n
}

// All are the causes of all groups.
func (s *Set) All() []string { return slices.Concat(s.groups...) }

// Causes are those of a form, one of each group.
func (s *Set) Causes(form int) []string {
	var list []string
	for _, g := range slices.Backward(s.groups) {
		list = append(list, g[form%len(g)])
		form /= len(g)
	}
	slices.Reverse(list)
	return list
}

// Number is the form with these causes, one of each group in their order; ok is false when there is none.
func (s *Set) Number(causes []string) (form int, ok bool) {
	if len(causes) != len(s.groups) {
		return 0, false
	}
	for i, g := range s.groups {
		at := slices.Index(g, causes[i])
		if at < 0 {
			return 0, false
		}
		form = form*len(g) + at
	}
	return form, true
}

// Form is the starter of a form: its files, and where its faults are.
func (s *Set) Form(form int) (map[string][]byte, []Place, error) {
	if form < 0 || form >= s.Count() {
		return nil, nil, fmt.Errorf("make form %d: there are 0 to %d", form, s.Count()-1)
	}
	files, places, err := s.With(s.Causes(form))
	if err != nil {
		return nil, nil, fmt.Errorf("make form %d: %w", form, err)
	}
	if manifest, ok := files[submission]; ok {
		files[submission] = formLine.ReplaceAll(manifest, fmt.Appendf(nil, "${1}%d", form))
	}
	return files, places, nil
}

// With is the program with any causes.
func (s *Set) With(causes []string) (map[string][]byte, []Place, error) {
	texts, places, err := s.apply(causes)
	if err != nil {
		return nil, nil, err
	}
	files := make(map[string][]byte, len(texts))
	for name, text := range texts {
		files[name] = []byte(text)
	}
	return files, places, nil
}

// apply puts faults in. Places are found afterwards, since each piece moves what is below it.
func (s *Set) apply(causes []string) (map[string]string, []Place, error) {
	texts := map[string]string{}
	for name, text := range s.base {
		texts[name] = text
	}
	for _, cause := range causes {
		for _, p := range s.pieces[cause] {
			if n := strings.Count("\n"+texts[p.file], "\n"+p.healthy); n != 1 {
				return nil, nil, fmt.Errorf("%s: a piece is %d times in %s, not once", cause, n, p.file)
			}
			texts[p.file] = strings.Replace("\n"+texts[p.file], "\n"+p.healthy, "\n"+p.slow, 1)[1:]
		}
	}
	var places []Place
	for _, cause := range causes {
		for _, p := range s.pieces[cause] {
			if !p.place || p.slow == "" {
				continue
			}
			before, _, ok := strings.Cut("\n"+texts[p.file], "\n"+p.slow)
			if !ok {
				return nil, nil, fmt.Errorf("%s: a piece in %s was changed by another cause", cause, p.file)
			}
			from := strings.Count(before, "\n") + 1
			places = append(places, Place{Cause: cause, File: p.file, From: from, To: from + strings.Count(p.slow, "\n") - 1})
		}
	}
	return texts, places, nil
}
