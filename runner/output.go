package runner

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/assay-run/assay/internal/evidence"
)

// BoundedLog is an io.Writer for the output of a program that may write without end. It keeps the first and the last
// half of its limit, counts the rest, and never refuses a write, so a program never blocks on us. Memory grows with
// what is kept only. It may be used from several goroutines.
type BoundedLog struct {
	mu    sync.Mutex
	head  []byte
	tail  []byte // a ring once it is full
	next  int    // where the ring goes on
	half  int    // capacity of head; tail has the rest
	limit int
	total int64
	cutAt time.Time // when the first byte was dropped
}

// NewBoundedLog keeps up to limit bytes. A limit below zero is taken as zero: everything is counted and dropped.
func NewBoundedLog(limit int64) *BoundedLog {
	l := int(max(limit, 0))
	return &BoundedLog{half: l - l/2, limit: l}
}

// Write keeps what fits and counts all. It never fails.
func (l *BoundedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	if l.total += int64(n); l.total > int64(l.limit) && l.cutAt.IsZero() {
		l.cutAt = time.Now()
	}
	if room := l.half - len(l.head); room > 0 {
		k := min(room, len(p))
		l.head = append(l.head, p[:k]...)
		p = p[k:]
	}
	l.writeTail(p)
	return n, nil
}

func (l *BoundedLog) writeTail(p []byte) {
	size := l.limit - l.half
	if size == 0 || len(p) == 0 {
		return
	}
	if len(p) > size {
		p = p[len(p)-size:]
	}
	if room := size - len(l.tail); room > 0 {
		k := min(room, len(p))
		l.tail = append(l.tail, p[:k]...)
		p = p[k:]
	}
	for len(p) > 0 {
		k := copy(l.tail[l.next:], p)
		l.next = (l.next + k) % size
		p = p[k:]
	}
}

// FirstCut is when the first byte of any of the logs was dropped; the zero time when all were kept whole.
func FirstCut(logs ...*BoundedLog) time.Time {
	var first time.Time
	for _, l := range logs {
		l.mu.Lock()
		if at := l.cutAt; !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
		l.mu.Unlock()
	}
	return first
}

// Log returns what was kept so far. Where bytes are missing, the text says so on a line of its own; that line and
// replacements of invalid UTF-8 are the only things in it that the program did not write.
func (l *BoundedLog) Log() evidence.Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	dropped := l.total - int64(len(l.head)) - int64(len(l.tail))
	var b strings.Builder
	b.Grow(len(l.head) + len(l.tail) + 64)
	if dropped == 0 {
		b.Write(l.head)
		b.Write(l.tail)
	} else {
		b.Write(trimEnd(l.head))
		fmt.Fprintf(&b, "\n[… %d bytes left out …]\n", dropped)
		b.Write(trimStart(append(l.tail[l.next:len(l.tail):len(l.tail)], l.tail[:l.next]...)))
	}
	return evidence.Log{Text: strings.ToValidUTF8(b.String(), "\uFFFD"), Bytes: l.total, Dropped: dropped}
}

// trimEnd and trimStart take off a character that the cut has split, so that it does not show as garbage.
func trimEnd(p []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if c := p[len(p)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(p[len(p)-i:]) {
				return p[:len(p)-i]
			}
			return p
		}
	}
	return p
}

func trimStart(p []byte) []byte {
	for i := range min(utf8.UTFMax, len(p)) {
		if utf8.RuneStart(p[i]) {
			return p[i:]
		}
	}
	if len(p) < utf8.UTFMax {
		return nil
	}
	return p
}
