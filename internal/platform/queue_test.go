package platform_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/internal/platform"
)

func TestAhead(t *testing.T) {
	t.Parallel()
	thousand := platform.QueueShare{Org: "a", Waiting: 1000, Turn: 1}
	one := platform.QueueShare{Org: "b", Waiting: 1, Turn: 2}
	assert.Equal(t, 1, platform.Ahead([]platform.QueueShare{thousand, one}, "b", 0), "behind one of the thousand, not behind all")
	assert.Equal(t, 0, platform.Ahead([]platform.QueueShare{thousand, one}, "a", 0))
	assert.Equal(t, 1000, platform.Ahead([]platform.QueueShare{thousand, one}, "a", 999))
	busy := platform.QueueShare{Org: "a", Waiting: 1000, Running: 3}
	assert.Equal(t, 0, platform.Ahead([]platform.QueueShare{busy, one}, "b", 0), "whoever has slots already waits")
	assert.Equal(t, 6, platform.Ahead([]platform.QueueShare{one, busy}, "a", 5))
}

// Ahead is arithmetic; this plays the same queue claim by claim.
func TestAheadIsTheOrderOfClaims(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var all []platform.QueueShare
		for i := range rapid.IntRange(1, 6).Draw(t, "organisations") {
			all = append(all, platform.QueueShare{
				Org:     platform.OrgID(fmt.Sprint(i)),
				Running: rapid.IntRange(0, 4).Draw(t, "running"),
				Waiting: rapid.IntRange(0, 8).Draw(t, "waiting"),
				Turn:    int64(rapid.IntRange(0, 3).Draw(t, "turn")),
			})
		}
		playing := append([]platform.QueueShare{}, all...)
		taken := map[platform.OrgID]int{}
		turn := int64(100)
		for claims := 0; ; claims++ {
			next := -1
			for i, s := range playing {
				if s.Waiting > 0 && (next < 0 || s.Before(playing[next])) {
					next = i
				}
			}
			if next < 0 {
				return
			}
			org := playing[next].Org
			if got := platform.Ahead(all, org, taken[org]); got != claims {
				t.Fatalf("job %d of organisation %s is claimed after %d others, not %d", taken[org], org, claims, got)
			}
			taken[org]++
			turn++
			playing[next].Running++
			playing[next].Waiting--
			playing[next].Turn = turn
		}
	})
}

func TestNextLap(t *testing.T) {
	t.Parallel()
	assert.Equal(t, int64(0), platform.NextLap(-1, 0), "the first of all")
	assert.Equal(t, int64(3), platform.NextLap(2, 0), "one more of the same candidate")
	assert.Equal(t, int64(7), platform.NextLap(-1, 7), "a newcomer joins, and does not overtake everybody")
}
