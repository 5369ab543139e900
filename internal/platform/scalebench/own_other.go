//go:build !unix

package scalebench

import (
	"os"
	"time"
)

// ownCPU is not known here.
func ownCPU() time.Duration { return 0 }

// PeakMemory is not known here.
func PeakMemory(*os.ProcessState) int64 { return 0 }
