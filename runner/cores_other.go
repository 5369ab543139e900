//go:build !linux

package runner

import (
	"context"
	"errors"
)

func allowedCPUs() ([]int, error) { return numCPUs(), nil }

// Calibrate needs Linux: elsewhere a thread cannot be pinned.
func Calibrate(context.Context, string) (int64, error) {
	return 0, errors.New("calibrate: this needs Linux")
}

// CachePolicy is how input files are treated before each run.
type CachePolicy string

// The policies.
const (
	CacheWarm    CachePolicy = "warm"
	CacheDropped CachePolicy = "dropped"
)

// ChooseCache cannot know the page cache of the machine that runs the engine, and leaves it alone.
func ChooseCache(int64) CachePolicy { return CacheWarm }

// PreparePageCache does nothing here: the engine runs in a virtual machine with a page cache of its own.
func PreparePageCache(context.Context, CachePolicy, []string) error { return nil }
