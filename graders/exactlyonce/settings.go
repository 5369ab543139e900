package exactlyonce

import (
	"fmt"
	"time"

	shared "github.com/assay-run/assay/graders/settings"
)

// settings is "with:" of a scenario.
type settings struct {
	seconds int // for which messages are published
	rate    int // messages a second
	kills   int
	stall   time.Duration // of the database
}

// Bounds of the settings. Leases of a killed process come back after visibility, so the last kill is that long before the end.
const (
	minSeconds, maxSeconds = 10, 600
	minRate, maxRate       = 50, 2000
	maxKills               = 3
	maxStallMs             = 4000
)

// parseSettings reads "with:". Errors name the key.
func parseSettings(with map[string]any) (settings, error) {
	var s settings
	var stallMs int
	fields := []struct {
		name      string
		to        *int
		low, high int
	}{
		{"seconds", &s.seconds, minSeconds, maxSeconds},
		{"rate", &s.rate, minRate, maxRate},
		{"kills", &s.kills, 1, maxKills},
		{"stallMs", &stallMs, 0, maxStallMs},
	}
	known := map[string]bool{}
	for _, f := range fields {
		known[f.name] = true
		n, ok := shared.Whole(with[f.name])
		if !ok || n < f.low || n > f.high {
			return s, fmt.Errorf("with.%s: must be a whole number from %d to %d, not %v", f.name, f.low, f.high, with[f.name])
		}
		*f.to = n
	}
	for key := range with {
		if !known[key] {
			return s, fmt.Errorf("with.%s: unknown setting; there are seconds, rate, kills and stallMs", key)
		}
	}
	s.stall = time.Duration(stallMs) * time.Millisecond
	return s, nil
}

// Check implements graders.Grader.
func (*Grader) Check(with map[string]any) error {
	_, err := parseSettings(with)
	return err
}
