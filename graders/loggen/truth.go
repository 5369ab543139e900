package loggen

import (
	"slices"
	"strings"
	"time"
)

// Truth is the right answer for one file. Its JSON form is the result a submission is asked for, with extra figures
// that only the judge uses.
type Truth struct {
	Lines         int64              `json:"lines"`         // not empty, bad ones included
	Bad           int64              `json:"bad"`           // of Lines
	ByService     map[string]Service `json:"byService"`     // good lines
	ByHour        map[string]int64   `json:"byHour"`        // good lines, by UTC hour "2026-01-01T00"
	Slowest       []Slow             `json:"slowest"`       // at most 10
	MsgCodePoints int64              `json:"msgCodePoints"` // over good lines

	// Bytes is the size of the text: of the decompressed text for gzip.
	Bytes int64 `json:"bytes"`
	// MsgUTF16 is what counting UTF-16 units in place of code points gives; it tells that mistake from others.
	MsgUTF16 int64 `json:"msgUtf16"`
	// BadKinds splits Bad by what was planted. The oracle leaves it empty: it knows only that a line is bad.
	BadKinds map[string]int64 `json:"badKinds,omitempty"`
}

// Service is the figures of one service.
type Service struct {
	Count  int64 `json:"count"`
	Errors int64 `json:"errors"`
	SumMs  int64 `json:"sumMs"`
	MaxMs  int64 `json:"maxMs"`
}

// Slow is one of the slowest lines.
type Slow struct {
	ID string `json:"id"`
	Ms int64  `json:"ms"`
}

// Good is the number of good lines.
func (t *Truth) Good() int64 { return t.Lines - t.Bad }

// newTruth returns the truth of an empty file.
func newTruth() Truth {
	return Truth{ByService: map[string]Service{}, ByHour: map[string]int64{}, Slowest: []Slow{}, BadKinds: map[string]int64{}}
}

// record is what a good line says.
type record struct {
	svc   string
	lvl   string
	id    string
	ts    int64
	ms    int64
	cps   int64 // code points of msg
	utf16 int64 // UTF-16 units of msg
}

// good counts a good line.
func (t *Truth) good(r record) {
	t.Lines++
	s := t.ByService[r.svc]
	s.add(r.ms, r.lvl == "error")
	t.ByService[r.svc] = s
	t.ByHour[hourKey(r.ts)]++
	t.MsgCodePoints += r.cps
	t.MsgUTF16 += r.utf16
	if slowEnough(t.Slowest, r.ms, r.id) {
		t.Slowest = insertSlow(t.Slowest, Slow{ID: r.id, Ms: r.ms})
	}
}

// bad counts a bad line of a kind.
func (t *Truth) bad(kind string) {
	t.Lines++
	t.Bad++
	t.BadKinds[kind]++
}

func (s *Service) add(ms int64, isError bool) {
	s.Count++
	s.SumMs += ms
	s.MaxMs = max(s.MaxMs, ms)
	if isError {
		s.Errors++
	}
}

func (s *Service) merge(o Service) {
	s.Count += o.Count
	s.Errors += o.Errors
	s.SumMs += o.SumMs
	s.MaxMs = max(s.MaxMs, o.MaxMs)
}

// slowCount is how many of the slowest lines are asked for.
const slowCount = 10

// compareSlow orders by ms descending, then by id ascending, byte by byte.
func compareSlow(a, b Slow) int {
	switch {
	case a.Ms > b.Ms:
		return -1
	case a.Ms < b.Ms:
		return 1
	}
	return strings.Compare(a.ID, b.ID)
}

// slowEnough says whether a line belongs among the slowest seen so far.
func slowEnough[S ~string | ~[]byte](list []Slow, ms int64, id S) bool {
	if len(list) < slowCount {
		return true
	}
	last := list[slowCount-1]
	return ms > last.Ms || ms == last.Ms && string(id) < last.ID
}

// insertSlow puts s at its place and keeps the first ten. Equal entries are both kept: entries are lines.
func insertSlow(list []Slow, s Slow) []Slow {
	at, _ := slices.BinarySearchFunc(list, s, compareSlow)
	list = slices.Insert(list, at, s)
	return list[:min(len(list), slowCount)]
}

// hourKey is the key of byHour for a time in milliseconds since 1970.
func hourKey(ts int64) string {
	return time.UnixMilli(ts).UTC().Format("2006-01-02T15")
}
