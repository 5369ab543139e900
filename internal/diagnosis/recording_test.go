package diagnosis

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

const (
	goodPiece = `{"t":"cpu","at":2000,"from":1000,"to":1900,"f":[["(root)","",0],["work","src/main.mjs",3]],` +
		`"n":[[0,-1,[]],[1,0,[4,2]]],"s":[0,1],"d":[100,200]}`
	goodStack = `{"t":"stack","at":2000,"asked":1000,"f":[["work","src/main.mjs",3]],"k":[[0,4]]}`
	goodHeap  = `{"t":"heap","at":2000,"from":1000,"to":1900,"used":10,"backing":5,"f":[["(root)","",0],["work","src/main.mjs",3]],` +
		`"n":[[0,-1,0],[1,0,4096]]}`
	goodStall = `{"t":"stall","at":2000,"from":1000,"to":1900}`
)

func TestRecordingRefusesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"empty":                  "",
		"text":                   "hello",
		"number":                 "1",
		"no type":                "{}",
		"unknown type":           `{"t":"shell"}`,
		"another version":        `{"t":"hello","v":2}`,
		"too large":              `{"t":"hello","v":1,"node":"` + strings.Repeat("x", MaxFrameBytes) + `"}`,
		"time before zero":       strings.Replace(goodPiece, "2000", "-2000", 1),
		"time beyond all":        strings.Replace(goodPiece, "2000", "1e300", 1),
		"ends before it began":   strings.Replace(goodPiece, `"to":1900`, `"to":900`, 1),
		"more samples than gaps": strings.Replace(goodPiece, "[0,1]", "[0,1,1]", 1),
		"sample of no node":      strings.Replace(goodPiece, "[0,1]", "[0,2]", 1),
		"sample -1":              strings.Replace(goodPiece, "[0,1]", "[0,-1]", 1),
		"endless gap":            strings.Replace(goodPiece, "[100,200]", "[100,1e300]", 1),
		"two roots":              strings.Replace(goodPiece, "[1,0,[4,2]]", "[1,-1,[4,2]]", 1),
		"own caller":             strings.Replace(goodPiece, "[1,0,[4,2]]", "[1,1,[4,2]]", 1),
		"unknown function":       strings.Replace(goodPiece, "[1,0,[4,2]]", "[2,0,[4,2]]", 1),
		"line without samples":   strings.Replace(goodPiece, "[4,2]", "[4]", 1),
		"lines are text":         strings.Replace(goodPiece, "[4,2]", `"4"`, 1),
		"short node":             strings.Replace(goodPiece, "[1,0,[4,2]]", "[1,0]", 1),
		"line before zero":       strings.Replace(goodPiece, `mjs",3]`, `mjs",-3]`, 1),
		"call of no function":    strings.Replace(goodStack, "[[0,4]]", "[[1,4]]", 1),
		"call at no number":      strings.Replace(goodStack, "[[0,4]]", `[["a",4]]`, 1),
		"endless stack":          strings.Replace(goodStack, "[[0,4]]", "[[0,4]"+strings.Repeat(",[0,4]", maxStackLen)+"]", 1),
		"bytes below zero":       strings.Replace(goodHeap, "4096", "-1", 1),
		"heap ends before":       strings.Replace(goodHeap, `"to":1900`, `"to":900`, 1),
		"stall ends before":      strings.Replace(goodStall, `"to":1900`, `"to":900`, 1),
	} {
		var r Recording
		require.ErrorIs(t, r.Add([]byte(in), time.Second), ErrMessage, name)
		assert.Equal(t, 1, r.dropped, name)
		assert.True(t, r.Empty(), name)
	}
	var r Recording
	for _, in := range []string{`{"t":"hello","v":1,"node":"v24.0.0"}`, goodPiece, goodStack, goodHeap, goodStall, `{"t":"end"}`} {
		require.NoError(t, r.Add([]byte(in), time.Second), in)
	}
	assert.False(t, r.Empty())
}

func TestRecordingIsBounded(t *testing.T) {
	t.Parallel()
	var r Recording
	for range maxStalls + 10 {
		_ = r.Add([]byte(goodStall), 0)
	}
	for range maxStacks + 10 {
		_ = r.Add([]byte(goodStack), 0)
	}
	for range maxPieces + 10 {
		_ = r.Add([]byte(`{"t":"cpu"}`), 0)
	}
	assert.Len(t, r.pieces, maxPieces)
	assert.Len(t, r.stalls, maxStalls)
	assert.Len(t, r.stacks, maxStacks)
	assert.Equal(t, 30, r.dropped)
	d := Diagnose(&r, &evidence.Execution{DurationNs: 1e9}, 0)
	assert.Contains(t, d.Note, "left out (30)")
	assert.Equal(t, strings.Repeat("n", maxName), short(strings.Repeat("n", maxName+1)))
}

// TestRecordingOffset takes the quickest message for the difference between the clocks.
func TestRecordingOffset(t *testing.T) {
	t.Parallel()
	var r Recording
	require.NoError(t, r.Add([]byte(`{"t":"hello","v":1,"at":5000000}`), 1300*time.Millisecond)) // late by 0.3 s
	require.NoError(t, r.Add([]byte(`{"t":"end","at":6000000}`), 2001*time.Millisecond))
	assert.InDelta(t, 1.001, r.seconds(5e6, 0), 1e-9)
	assert.InDelta(t, 0.501, r.seconds(5e6, 500*time.Millisecond), 1e-9)
}

func FuzzRecording(f *testing.F) {
	for _, s := range []string{goodPiece, goodStack, goodHeap, goodStall, `{"t":"hello","v":1}`, `{"t":"end","left":3}`} {
		f.Add([]byte(s), []byte(goodPiece))
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		var r Recording
		_ = r.Add(one, time.Second)
		_ = r.Add(two, 2*time.Second)
		if r.messages+r.dropped != 2 {
			t.Fatalf("%d taken, %d dropped", r.messages, r.dropped)
		}
		curve := evidence.Series{Name: evidence.SeriesHeartbeat, T: []float64{0, 0.1}, Min: []float64{0, 0}, Max: []float64{2e8, 1e8}}
		for _, x := range []*evidence.Execution{
			{DurationNs: 1e9},
			{DurationNs: 1e9, Heartbeat: &evidence.Heartbeat{}, Series: []evidence.Series{curve}},
		} {
			if _, err := json.Marshal(Diagnose(&r, x, time.Second)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
