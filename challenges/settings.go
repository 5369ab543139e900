package challenges

import (
	"errors"
	"slices"
	"strings"

	"github.com/assay-run/assay/internal/schemas"
)

// settingError is an error of a workload about one of its settings.
type settingError interface {
	error
	// SettingPath leads to the setting below "with": keys (string) and indexes (int).
	SettingPath() []any
	// SettingOffset is the number of characters before the mistake in the text of the setting.
	SettingOffset() int
}

// settings checks what a scenario gives its workload in one mode, and notes the files that it names. where leads to the mode.
func (l *loader) settings(s Scenario, mode ScenarioMode, kind Kind, where []any) {
	doc := l.settingsOf(where)
	if kind.Settings != nil {
		schema, err := schemas.Compile(s.Workload+".settings.json", kind.Settings)
		if err != nil {
			l.setting(doc, s.Workload, err)
			return
		}
		if err := schema.Check(doc); err != nil {
			l.setting(doc, s.Workload, err)
			return // what a workload says of settings of another shape means little
		}
	}
	if kind.Check != nil {
		if err := kind.Check(mode.With); err != nil {
			l.setting(doc, s.Workload, err)
			return
		}
	}
	if kind.Files == nil {
		return
	}
	files, err := kind.Files(mode.With, l.files)
	if err != nil {
		l.setting(doc, s.Workload, err)
		return
	}
	l.used = append(l.used, files...)
}

// settingsOf are the settings of a scenario in one mode; where leads to the mode.
func (l *loader) settingsOf(where []any) *schemas.Document {
	return l.doc.Merged("with", append(slices.Clip(where[:2]), "with"), append(slices.Clip(where), "with"))
}

// setting notes what a workload says of its settings, each mistake at its place. Settings of a scenario are checked once for each
// mode; what is said twice of one place is noted once.
func (l *loader) setting(doc *schemas.Document, workload string, err error) {
	var problems schemas.Problems
	if errors.As(err, &problems) {
		l.note(problems...)
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // a joined error is taken apart, not looked into
		for _, one := range joined.Unwrap() {
			l.setting(doc, workload, one)
		}
		return
	}
	var at settingError
	if errors.As(err, &at) {
		l.note(doc.Problem(doc.TextAt(at.SettingOffset(), at.SettingPath()...), "%v", err))
		return
	}
	position := doc.At()
	if key, _, ok := strings.Cut(strings.TrimPrefix(err.Error(), "with."), ":"); ok && doc.Has(key) {
		position = doc.At(key)
	}
	l.note(doc.Problem(position, "workload %s does not accept these settings: %v", workload, err))
}

func (l *loader) note(problems ...schemas.Problem) {
	for _, p := range problems {
		if !slices.Contains(l.problems, p) {
			l.problems = append(l.problems, p)
		}
	}
}
