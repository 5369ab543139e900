package logaggregate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/assay-run/assay/graders/heartbeat"
)

func TestParseProgress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		body   string
		want   shown
		ok     bool
	}{
		{"good", 200, `{"bytes":10,"lines":2}`, shown{10, 2}, true},
		{"additional keys", 200, `{"lines":0,"bytes":0,"rate":1.5}`, shown{}, true},
		{"wrong status", 500, `{"bytes":10,"lines":2}`, shown{}, false},
		{"no JSON", 200, `ok`, shown{}, false},
		{"empty", 200, ``, shown{}, false},
		{"missing lines", 200, `{"bytes":10}`, shown{}, false},
		{"null", 200, `{"bytes":10,"lines":null}`, shown{}, false},
		{"text", 200, `{"bytes":"10","lines":2}`, shown{}, false},
		{"negative", 200, `{"bytes":-1,"lines":2}`, shown{-1, 2}, false},
		{"list", 200, `[10,2]`, shown{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := parseProgress(heartbeat.Answer{Status: tt.status, Body: []byte(tt.body)})
			assert.Equal(t, tt.ok, ok)
			if tt.ok {
				assert.Equal(t, tt.want, got)
			}
		})
	}
}

func FuzzParseProgress(f *testing.F) {
	f.Add([]byte(`{"bytes":10,"lines":2}`))
	f.Add([]byte(`{"bytes":1e999}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if got, ok := parseProgress(heartbeat.Answer{Status: 200, Body: body}); ok {
			assert.GreaterOrEqual(t, got.Bytes, 0.0)
			assert.GreaterOrEqual(t, got.Lines, 0.0)
		}
	})
}

func TestProgressGoesBackOnlyWhenItDoes(t *testing.T) {
	t.Parallel()
	base := time.Now()
	at := func(ms int) time.Time { return base.Add(time.Duration(ms) * time.Millisecond) }
	answer := func(sent, got int, body string) heartbeat.Answer {
		return heartbeat.Answer{Status: 200, Body: []byte(body), Sent: at(sent), Got: at(got)}
	}
	tests := []struct {
		name       string
		answers    []heartbeat.Answer
		violations int
	}{
		{"forward", []heartbeat.Answer{answer(0, 1, `{"bytes":1,"lines":1}`), answer(2, 3, `{"bytes":1,"lines":2}`)}, 0},
		{"back", []heartbeat.Answer{answer(0, 1, `{"bytes":5,"lines":5}`), answer(2, 3, `{"bytes":4,"lines":5}`)}, 1},
		{"lines back", []heartbeat.Answer{answer(0, 1, `{"bytes":5,"lines":5}`), answer(2, 3, `{"bytes":6,"lines":4}`)}, 1},
		{"read in another order", []heartbeat.Answer{answer(0, 5, `{"bytes":5,"lines":5}`), answer(1, 6, `{"bytes":4,"lines":4}`)}, 0},
		{"back to before both", []heartbeat.Answer{
			answer(0, 5, `{"bytes":5,"lines":5}`), answer(1, 6, `{"bytes":4,"lines":4}`), answer(7, 8, `{"bytes":4,"lines":4}`),
		}, 1},
		{"wrong answers do not count", []heartbeat.Answer{answer(0, 1, `{"bytes":5,"lines":5}`), {Status: 500}, answer(2, 3, `{"bytes":5,"lines":5}`)}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var l progressLog
			for _, a := range tt.answers {
				l.check(a)
			}
			f := l.seen()
			assert.Equal(t, tt.violations, f.Violations)
			assert.Equal(t, tt.violations > 0, f.Violation != "")
			assert.Len(t, tt.answers, f.Count+f.Wrong)
		})
	}
}

func TestProgressMemoryIsBounded(t *testing.T) {
	t.Parallel()
	var l progressLog
	base := time.Now()
	for i := range 5 * progressMemory {
		at := base.Add(time.Duration(i) * time.Millisecond)
		assert.True(t, l.check(heartbeat.Answer{Status: 200, Body: []byte(`{"bytes":1,"lines":1}`), Sent: at, Got: at}))
	}
	assert.LessOrEqual(t, len(l.most), progressMemory)
	assert.Zero(t, l.seen().Violations)
}
