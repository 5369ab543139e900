package debugservice

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/forms"
)

const (
	diagnosisFile = "diagnosis.json"
	manifestFile  = "assay.json"
	// maxEntries bounds a diagnosis; there are 24 codes.
	maxEntries = 48
	// lineWithin is how far from a place a line may be, halfRight what an entry counts whose line is farther.
	lineWithin = 10
	halfRight  = 0.5
)

// entry is one of a diagnosis.
type entry struct {
	Cause    string  `json:"cause"`
	File     string  `json:"file"`
	Line     float64 `json:"line"`
	Evidence string  `json:"evidence"`
}

// ReadHandIn implements graders.HandInReader: it judges diagnosis.json by the form that assay.json says.
// Causes that the code has and that form does not make it worth less, down to nothing: who names another form than the code's gains nothing.
func (*Grader) ReadHandIn(files []evidence.SourceFile, ev evidence.Run, raw json.RawMessage) (evidence.Measures, error) {
	m := evidence.Measures{Values: map[string]float64{}}
	r, err := read(ev, raw)
	if err != nil || r.truth.Kind != kindChecks {
		return m, err
	}
	places, lost := r.truth.formOf(files)
	var list []entry
	if lost == "" {
		list, lost = readDiagnosis(files)
	}
	right, details := rate(list, places)
	causes := max(len(distinct(places)), 1)
	if foreign := r.foreign(places); len(list) > 0 && foreign > 0 {
		right *= 1 - min(float64(foreign)/float64(causes), 1)
		details = append(details, fmt.Sprintf("The code has %d causes that its form does not have.", foreign))
	}
	m.Values[metricF1] = 2 * right / float64(len(list)+causes)
	m.Values[metricPrecision] = right / float64(max(len(list), 1))
	m.Values[metricRecall] = right / float64(causes)
	if lost == "" {
		lost = strings.Join(details, " ")
	}
	m.Cases = []evidence.Case{{
		Name: "diagnosis", Title: "diagnosis.json names the four causes and where they are, and nothing else", Weight: 1,
		Right: lost == "" && m.Values[metricF1] == 1, Detail: lost,
	}}
	return m, nil
}

// foreign is how many causes were found by their checks that the form does not have.
func (r *run) foreign(places []forms.Place) (n int) {
	form := distinct(places)
	for _, c := range causes() {
		if v := r.facts.Checks[c.name]; v != nil && v.Failed == "" && !form[c.name] && c.judge(v) != "" {
			n++
		}
	}
	return n
}

// formOf are the places of the form that assay.json names; lost says why there are none.
func (t *truth) formOf(files []evidence.SourceFile) (places []forms.Place, lost string) {
	text, ok := textOf(files, manifestFile)
	if !ok {
		return nil, "There is no assay.json, so nobody knows which form this is."
	}
	var m struct {
		Form *int `json:"form"`
	}
	if json.Unmarshal([]byte(text), &m) != nil || m.Form == nil || *m.Form < 0 || *m.Form >= len(t.Forms) {
		return nil, "assay.json does not say which form this is, as that of the starter does."
	}
	return t.Forms[*m.Form], ""
}

func textOf(files []evidence.SourceFile, name string) (string, bool) {
	for i := range files {
		if files[i].Path == name && !files[i].Binary && !files[i].Truncated {
			return files[i].Text, true
		}
	}
	return "", false
}

// readDiagnosis reads the entries; lost says why there are none.
func readDiagnosis(files []evidence.SourceFile) (list []entry, lost string) {
	text, ok := textOf(files, diagnosisFile)
	if !ok {
		return nil, "There is no diagnosis.json, or it is too large."
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, "diagnosis.json is not an array of {cause, file, line, evidence}."
	}
	if len(list) > maxEntries {
		return nil, fmt.Sprintf("diagnosis.json has %d entries, and at most %d are read.", len(list), maxEntries)
	}
	if len(list) == 0 {
		return nil, "diagnosis.json is empty."
	}
	return list, ""
}

func distinct(places []forms.Place) map[string]bool {
	all := map[string]bool{}
	for _, p := range places {
		all[p.Cause] = true
	}
	return all
}

// rate adds up what entries count, and says what is wrong with the others. Each cause counts once, by its first entry.
func rate(list []entry, places []forms.Place) (right float64, details []string) {
	form, codes, counted := distinct(places), names(), map[string]bool{}
	for i, e := range list {
		name := signs.Quotable(e.Cause)
		switch {
		case !codes[e.Cause]:
			details = append(details, fmt.Sprintf("Entry %d: %q is none of the 24 codes.", i+1, name))
		case !form[e.Cause]:
			details = append(details, fmt.Sprintf("Entry %d: %s is not a cause of this form.", i+1, name))
		case counted[e.Cause]:
			details = append(details, fmt.Sprintf("Entry %d: %s is named twice.", i+1, name))
		case strings.TrimSpace(e.Evidence) == "":
			details = append(details, fmt.Sprintf("Entry %d: %s has no evidence.", i+1, name))
		case near(e, places):
			right++
			counted[e.Cause] = true
		default:
			right += halfRight
			counted[e.Cause] = true
			details = append(details, fmt.Sprintf("Entry %d: %s is right, and not where it is said to be.", i+1, name))
		}
	}
	for _, p := range places {
		if !counted[p.Cause] {
			counted[p.Cause] = true
			details = append(details, "It does not name "+p.Cause+" rightly.")
		}
	}
	return right, details
}

// near says whether an entry names a place of its cause.
func near(e entry, places []forms.Place) bool {
	file := path.Clean(strings.ReplaceAll(e.File, `\`, "/"))
	for _, p := range places {
		if p.Cause == e.Cause && p.File == strings.TrimPrefix(file, "/") && e.Line >= float64(p.From-lineWithin) && e.Line <= float64(p.To+lineWithin) {
			return true
		}
	}
	return false
}
