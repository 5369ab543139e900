//go:build !linux

package diskwatch

import "errors"

// Usage needs Linux, which a container always has.
func Usage(string, string, Limits) (Over, error) { return Over{}, errors.ErrUnsupported }

// RoomOf needs it as well.
func RoomOf(string) (Room, error) { return Room{}, errors.ErrUnsupported }
