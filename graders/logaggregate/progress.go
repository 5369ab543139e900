package logaggregate

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/heartbeat"
)

// facts is what Drive saw beside the heartbeat.
type facts struct {
	Progress *progressFacts `json:"progress,omitempty"`
}

// progressFacts sums up the answers of GET /progress.
type progressFacts struct {
	Count      int    `json:"count"` // good answers
	Wrong      int    `json:"wrong"` // other answers
	Violations int    `json:"violations"`
	First      shown  `json:"first"`
	Last       shown  `json:"last"`
	Violation  string `json:"violation,omitempty"` // the first one
}

// shown is one answer.
type shown struct {
	Bytes float64 `json:"bytes"`
	Lines float64 `json:"lines"`
}

// progressMemory is how many of the latest answers are remembered to judge answers that come in another order.
const progressMemory = 256

// progressLog judges answers as they come, on several connections. Progress has gone back only when a request that was
// sent after an answer had come is answered with less: two requests that are out together may be read in any order.
type progressLog struct {
	mu    sync.Mutex
	facts progressFacts
	most  []peak // ascending in time and values
}

// peak is the most that had been shown at a time.
type peak struct {
	got  time.Time
	most shown
}

// check implements heartbeat.Options.Check.
func (l *progressLog) check(a heartbeat.Answer) bool {
	s, ok := parseProgress(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ok {
		l.facts.Wrong++
		return false
	}
	if l.facts.Count == 0 {
		l.facts.First = s
	}
	l.facts.Count++
	l.facts.Last = s
	// The last peak that was known when the request went out.
	at, _ := slices.BinarySearchFunc(l.most, a.Sent, func(p peak, t time.Time) int { return p.got.Compare(t) })
	if at > 0 {
		if known := l.most[at-1].most; s.Bytes < known.Bytes || s.Lines < known.Lines {
			l.facts.Violations++
			if l.facts.Violation == "" {
				l.facts.Violation = fmt.Sprintf("after %.0f bytes and %.0f lines it showed %.0f bytes and %.0f lines", known.Bytes, known.Lines, s.Bytes, s.Lines)
			}
		}
	}
	l.remember(a.Got, s)
	return true
}

func (l *progressLog) remember(got time.Time, s shown) {
	if n := len(l.most); n > 0 {
		last := l.most[n-1]
		if got.Before(last.got) {
			got = last.got
		}
		s = shown{Bytes: max(s.Bytes, last.most.Bytes), Lines: max(s.Lines, last.most.Lines)}
	}
	if len(l.most) == progressMemory {
		l.most = slices.Delete(l.most, 0, progressMemory/2)
	}
	l.most = append(l.most, peak{got: got, most: s})
}

// seen returns the sum so far.
func (l *progressLog) seen() *progressFacts {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.facts
	return &f
}

// parseProgress reads {"bytes":n,"lines":n}.
func parseProgress(a heartbeat.Answer) (shown, bool) {
	var body struct {
		Bytes *float64 `json:"bytes"`
		Lines *float64 `json:"lines"`
	}
	if a.Status != 200 || json.Unmarshal(a.Body, &body) != nil || body.Bytes == nil || body.Lines == nil {
		return shown{}, false
	}
	s := shown{Bytes: *body.Bytes, Lines: *body.Lines}
	return s, s.Bytes >= 0 && s.Lines >= 0
}
