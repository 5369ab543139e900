package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/assay-run/assay/internal/report/reporttest"
)

func TestClean(t *testing.T) {
	t.Parallel()
	type inner struct {
		Name, Text string
		T          []float64
	}
	type outer struct {
		At    time.Time
		List  []inner
		Ptr   *inner
		Nil   *inner
		Map   map[string]string
		Names []string
		Raw   []byte
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	in := outer{At: at, List: []inner{{"a\nb", "a\nb\x1b", []float64{1}}}, Ptr: &inner{Name: "\x00"},
		Map: map[string]string{"k\x07": "v\u202e"}, Names: []string{"\x7f"}, Raw: []byte("\x00")}
	got := clean(&in)
	assert.Equal(t, &outer{At: at, List: []inner{{"a␊b", "a\nb␛", []float64{1}}}, Ptr: &inner{Name: "␀"},
		Map: map[string]string{"k␇": "v⟨U+202E⟩"}, Names: []string{"␡"}, Raw: []byte("\x00")}, got)
	assert.Equal(t, "a\nb", in.List[0].Name, "the original stays as it was")
}

func TestCleanKeepsHarmlessReports(t *testing.T) {
	t.Parallel()
	assert.Equal(t, reporttest.Blocked(), clean(reporttest.Blocked()))
	assert.Equal(t, reporttest.Grading().Submission, clean(reporttest.Grading()).Submission)
	assert.Equal(t, reporttest.Empty(), clean(reporttest.Empty()))
}
