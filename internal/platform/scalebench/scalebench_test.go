package scalebench

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestShare(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ submissions, organisations, largest int }{{10_000, 50, 3000}, {40, 3, 20}, {52, 50, 3}, {1000, 2, 1}} {
		all := share(tt.submissions, tt.organisations, tt.largest)
		require.Len(t, all, tt.organisations)
		sum := 0
		for i, n := range all {
			assert.Positive(t, n)
			if i > 1 {
				assert.LessOrEqual(t, n, all[i-1], "%v", all)
			}
			sum += n
		}
		assert.Equal(t, []int{tt.submissions, tt.largest}, []int{sum, all[0]})
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	c := newTally()
	c.begun = time.Now()
	for i := range 100 {
		c.add("page", time.Duration(i+1)*time.Millisecond, "")
	}
	c.add("link", time.Second, "500 Internal Server Error")
	kinds := c.kinds()
	for i := range kinds {
		kinds[i].MaxAtS = 0
	}
	assert.Equal(t, []Kind{
		{Name: "link", Requests: 1, Errors: 1, P50Ms: 1000, P99Ms: 1000, MaxMs: 1000},
		{Name: "page", Requests: 100, P50Ms: 50.5, P99Ms: 99, MaxMs: 100},
	}, kinds)
	assert.Equal(t, []string{"link: 500 Internal Server Error"}, c.problems)
}

func TestEachStopsAtAnError(t *testing.T) {
	t.Parallel()
	done := 0
	require.NoError(t, each(t.Context(), []int{1, 2, 3}, 1, func(ctx context.Context, _ int) error { done++; return nil }))
	assert.Equal(t, 3, done)
	err := each(t.Context(), make([]int, 1000), 1, func(context.Context, int) error { done++; return os.ErrInvalid })
	require.ErrorIs(t, err, os.ErrInvalid)
	assert.Less(t, done, 10)
}

func TestLoadReportInWords(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &LoadReport{Database: "SQLite", Candidates: 3, Kinds: []Kind{{Name: "page", Requests: 7, Errors: 1, P99Ms: 12}}, Problems: []string{"page: 500"}}
	require.NoError(t, r.Write(&out))
	assert.Equal(t, 1, r.Errors())
	assert.Contains(t, out.String(), "| page    |   7 |      1 |")
	assert.Contains(t, out.String(), "error: page: 500")
}
