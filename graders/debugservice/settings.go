package debugservice

import (
	"bytes"
	_ "embed"
	"fmt"
	"io/fs"
	"time"

	shared "github.com/assay-run/assay/graders/settings"
	"github.com/assay-run/assay/internal/forms"
)

// kind is what a scenario does.
type kind string

const (
	kindChecks kind = "checks" // the script, fresh answers, the sixteen checks
	kindLoad   kind = "load"   // measured
)

// settings is "with:" of a scenario.
type settings struct {
	kind kind
	rate float64       // requests per second of the open load
	open time.Duration // its length
	full time.Duration // that of the second part
}

const (
	minSeconds, maxSeconds = 1, 120
	minRate, maxRate       = 10, 500
)

// parseSettings reads "with:". Errors name the key.
func parseSettings(with map[string]any) (settings, error) {
	var s settings
	text, _ := with["kind"].(string)
	s.kind = kind(text)
	allowed := map[string][2]float64{}
	switch s.kind {
	case kindChecks:
	case kindLoad:
		allowed = map[string][2]float64{"rate": {minRate, maxRate}, "seconds": {minSeconds, maxSeconds}, "fullSeconds": {minSeconds, maxSeconds}}
	default:
		return s, fmt.Errorf("with.kind: must be checks or load, not %v", with["kind"])
	}
	values := map[string]float64{}
	for key, v := range with {
		bounds, ok := allowed[key]
		switch {
		case key == "kind":
			continue
		case !ok:
			return s, fmt.Errorf("with.%s: unknown setting; checks has none, load has rate, seconds and fullSeconds", key)
		}
		n := shared.Number(v)
		if !(n >= bounds[0] && n <= bounds[1]) {
			return s, fmt.Errorf("with.%s: must be a number from %g to %g, not %v", key, bounds[0], bounds[1], v)
		}
		values[key] = n
	}
	for key := range allowed {
		if _, ok := values[key]; !ok {
			return s, fmt.Errorf("with.%s: is missing", key)
		}
	}
	s.rate = values["rate"]
	s.open = time.Duration(values["seconds"] * float64(time.Second))
	s.full = time.Duration(values["fullSeconds"] * float64(time.Second))
	return s, nil
}

// schema is the JSON Schema of the settings.
//
//go:embed settings.schema.json
var schema []byte

// SettingsSchema implements graders.Settings.
func (*Grader) SettingsSchema() []byte { return bytes.Clone(schema) }

// CheckFiles implements graders.Settings: the forms decide what a diagnosis is compared with.
func (*Grader) CheckFiles(with map[string]any, files fs.FS) ([]string, error) {
	s, err := parseSettings(with)
	if err != nil || s.kind != kindChecks {
		return nil, err
	}
	if _, err := forms.Load(files); err != nil {
		return nil, err
	}
	return forms.Files(files)
}

// Check implements graders.Grader.
func (*Grader) Check(with map[string]any) error {
	_, err := parseSettings(with)
	return err
}
