package runner

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestFirstCut(t *testing.T) {
	t.Parallel()
	a, b := NewBoundedLog(4), NewBoundedLog(4)
	_, _ = a.Write([]byte("abcd"))
	assert.True(t, FirstCut(a, b).IsZero(), "everything is there")
	_, _ = b.Write([]byte("abcde"))
	first := FirstCut(a, b)
	assert.False(t, first.IsZero())
	_, _ = a.Write([]byte("e"))
	_, _ = b.Write([]byte("f"))
	assert.Equal(t, first, FirstCut(a, b), "the first moment stays")
	assert.False(t, FirstCut(a).Before(first))
}

func TestBoundedLog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		limit   int64
		writes  []string
		text    string
		bytes   int64
		dropped int64
	}{
		{"nothing written", 10, nil, "", 0, 0},
		{"fits", 10, []string{"abc", "def"}, "abcdef", 6, 0},
		{"exactly full", 4, []string{"ab", "cd"}, "abcd", 4, 0},
		{"one byte over", 4, []string{"abcde"}, "ab\n[… 1 bytes left out …]\nde", 5, 1},
		{"many small writes", 4, strings.Split("abcdefghij", ""), "ab\n[… 6 bytes left out …]\nij", 10, 6},
		{"one huge write after the ring turned", 6, []string{"abcdefg", strings.Repeat("x", 100) + "yz!"},
			"abc\n[… 104 bytes left out …]\nyz!", 110, 104},
		{"limit of zero counts only", 0, []string{"abc"}, "\n[… 3 bytes left out …]\n", 3, 3},
		{"negative limit counts only", -1, []string{"abc"}, "\n[… 3 bytes left out …]\n", 3, 3},
		{"limit of one keeps a head", 1, []string{"ab"}, "a\n[… 1 bytes left out …]\n", 2, 1},
		{"invalid UTF-8 is replaced", 10, []string{"a\xffb"}, "a\uFFFDb", 3, 0},
		{"split characters do not show", 4, []string{"aäbbö€"}, "a\n[… 6 bytes left out …]\n", 10, 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			log := NewBoundedLog(tt.limit)
			for _, w := range tt.writes {
				n, err := log.Write([]byte(w))
				require.NoError(t, err)
				require.Equal(t, len(w), n)
			}
			got := log.Log()
			assert.Equal(t, tt.bytes, got.Bytes)
			assert.Equal(t, tt.dropped, got.Dropped)
			assert.Equal(t, tt.text, got.Text)
			assert.Equal(t, got, log.Log(), "reading changes nothing")
		})
	}
}

func TestBoundedLogKeepsHeadAndTail(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(0, 64).Draw(t, "limit")
		chunks := rapid.SliceOfN(rapid.StringMatching(`[a-z]{0,40}`), 0, 12).Draw(t, "chunks")
		log := NewBoundedLog(int64(limit))
		for _, c := range chunks {
			_, err := log.Write([]byte(c))
			require.NoError(t, err)
		}
		all, got := strings.Join(chunks, ""), log.Log()
		require.Equal(t, int64(len(all)), got.Bytes)
		if len(all) <= limit {
			require.Equal(t, all, got.Text)
			require.Zero(t, got.Dropped)
			return
		}
		require.Equal(t, int64(len(all)-limit), got.Dropped)
		head := limit - limit/2
		want := fmt.Sprintf("%s\n[… %d bytes left out …]\n%s", all[:head], got.Dropped, all[len(all)-limit/2:])
		require.Equal(t, want, got.Text)
	})
}

func TestBoundedLogFromManyGoroutines(t *testing.T) {
	t.Parallel()
	log := NewBoundedLog(128)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				_, _ = log.Write([]byte("0123456789"))
				_ = log.Log()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, int64(8000), log.Log().Bytes)
	assert.Equal(t, int64(8000-128), log.Log().Dropped)
}
