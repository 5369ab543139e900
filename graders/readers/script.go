package readers

import (
	"errors"
	"fmt"
	"time"
)

// Script says how a client reads. The zero value reads everything as fast as it comes.
type Script struct {
	// Rate is how many bytes of the body it takes a second, in pieces of at most 4 KiB; 0 for as fast as they come.
	Rate int64
	// StallAt is when it stops to read, since the request was sent, and StallFor for how long; no stall when StallFor is 0. What comes
	// at 0 includes the head of the answer.
	StallAt, StallFor time.Duration
	// AbortAfter is after how many bytes of the body it hangs up, AbortAt after what time since the request was sent; 0 for never.
	AbortAfter int64
	AbortAt    time.Duration
	// Buffer is its receive buffer in bytes (the kernel doubles it), Segment the largest TCP segment that it takes; 0 for the
	// kernel's own. Systems other than Linux have neither.
	Buffer, Segment int
	// Patience is how long it waits for the next bytes; 30 s unless set.
	Patience time.Duration
	// Limit is how many bytes of body it takes at most; 1 TiB unless set. A longer answer ends as Endless.
	Limit int64
}

const (
	defaultPatience = 30 * time.Second
	defaultLimit    = int64(1) << 40
)

// withDefaults checks the script.
func (s Script) withDefaults() (Script, error) {
	if s.Patience == 0 {
		s.Patience = defaultPatience
	}
	if s.Limit == 0 {
		s.Limit = defaultLimit
	}
	switch {
	case s.Rate < 0 || s.AbortAfter < 0 || s.Limit < 0:
		return s, errors.New("reader: rate, abort and limit must not be negative")
	case s.StallAt < 0 || s.StallFor < 0 || s.AbortAt < 0 || s.Patience < 0:
		return s, errors.New("reader: times must not be negative")
	case s.Buffer < 0 || s.Buffer > 64<<20:
		return s, fmt.Errorf("reader: buffer of %d bytes is out of range", s.Buffer)
	case s.Segment != 0 && (s.Segment < 88 || s.Segment > 32767):
		return s, fmt.Errorf("reader: segment of %d bytes is out of range (88 to 32767)", s.Segment)
	}
	return s, nil
}
