//go:build !linux

package diskwatch

import "errors"

// Usage needs Linux, which a container always has.
func Usage(string, string, Limits) (Over, error) { return Over{}, errors.ErrUnsupported }
