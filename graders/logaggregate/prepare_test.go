package logaggregate

import (
	"time"

	"github.com/assay-run/assay/graders"
)

type prepared struct{ graders.Prepared }

func preparation(cache string, with map[string]any, timeout time.Duration) graders.Preparation {
	return graders.Preparation{Scenario: "main", With: with, Seed: make([]byte, 32), CacheDir: cache, Timeout: timeout}
}
