package exportstream

import (
	"fmt"
	"time"

	shared "github.com/assay-run/assay/graders/settings"
)

// kind is what a scenario does.
type kind string

const (
	kindReaders  kind = "readers"  // one fast client beside slow, stalled and leaving ones; measured
	kindContract kind = "contract" // exact bytes, errors, clients that leave, sources that fail
)

// settings is "with:" of a scenario. Those below kind are of readers alone.
type settings struct {
	kind    kind
	seconds time.Duration // how long the clients read
	slow    int           // clients that read slowly
	stalled int           // clients that read nothing at first
	leaving int           // clients that hang up
}

// bound is a setting that is a whole number.
type bound struct {
	low, high int
	what      string
}

// bounds are those of the settings of readers.
func bounds() map[string]bound {
	return map[string]bound{
		"seconds": {3, 300, "how long the clients read"},
		"slow":    {1, 200, "the clients that read slowly"},
		"stalled": {1, 50, "the clients that read nothing at first"},
		"leaving": {1, 200, "the clients that hang up"},
	}
}

// parseSettings reads "with:". Errors name the key.
func parseSettings(with map[string]any) (settings, error) {
	var s settings
	text, _ := with["kind"].(string)
	s.kind = kind(text)
	if s.kind != kindReaders && s.kind != kindContract {
		return s, fmt.Errorf("with.kind: must be readers or contract, not %v", with["kind"])
	}
	known := map[string]bound{}
	if s.kind == kindReaders {
		known = bounds()
	}
	for key := range with {
		if _, ok := known[key]; !ok && key != "kind" {
			return s, fmt.Errorf("with.%s: unknown setting; there are kind and, for readers, seconds, slow, stalled and leaving", key)
		}
	}
	numbers := map[string]int{}
	for key, b := range known {
		n, ok := shared.Whole(with[key])
		if !ok || n < b.low || n > b.high {
			return s, fmt.Errorf("with.%s: must be a whole number from %d to %d, %s, not %v", key, b.low, b.high, b.what, with[key])
		}
		numbers[key] = n
	}
	s.seconds = time.Duration(numbers["seconds"]) * time.Second
	s.slow, s.stalled, s.leaving = numbers["slow"], numbers["stalled"], numbers["leaving"]
	return s, nil
}

// Check implements graders.Grader.
func (*Grader) Check(with map[string]any) error {
	_, err := parseSettings(with)
	return err
}
