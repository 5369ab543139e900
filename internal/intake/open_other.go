//go:build !unix

package intake

// The flags are empty where the system has none; a file is compared with what was seen before anyway.
const (
	noFollow = 0
	noWait   = 0
)
