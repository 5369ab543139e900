package platform

import (
	"testing"
	"time"
)

// What a cursor says is either refused or an id and a time that a database can take, and survives being written again.
func FuzzCursor(f *testing.F) {
	f.Add(string(Mark{ID: "asm_00000000000000000000000000", At: time.UnixMilli(1_772_442_000_000)}.Encode()))
	f.Add(string(Mark{ID: "inv_00000000000000000000000000", Sort: "score"}.Encode()))
	for _, seed := range []string{"", "x", "bnVsbA", "eyJpIjoiYVx1MDAwMCJ9", "eyJ0IjoxZTMwMCwiaSI6ImEifQ", "W10", "eyJpIjoiJyBPUiAxPTEifQ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Cursor(text).Decode()
		if err != nil {
			if ErrorCode(err) != Invalid || m != (Mark{}) {
				t.Fatalf("refused as %v with %v", err, m)
			}
			return
		}
		if text == "" {
			return
		}
		if !m.ID.plain() {
			t.Fatalf("the id %q", m.ID)
		}
		again, err := m.Encode().Decode()
		if err != nil && len(m.Encode()) <= maxCursor || err == nil && again != m {
			t.Fatalf("%v came back as %v: %v", m, again, err)
		}
	})
}
