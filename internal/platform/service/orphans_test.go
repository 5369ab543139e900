package service_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/service"
)

// Enqueue happens in the transaction that stores a row, after its file.
func (e *enqueuer) Enqueue(ctx context.Context, tx *sql.Tx, j platform.Job) error {
	if e.before != nil {
		e.before()
	}
	return e.Queue.Enqueue(ctx, tx, j)
}

func (h *house) keys() []string {
	h.t.Helper()
	out := []string{}
	require.NoError(h.t, h.files.Walk(h.t.Context(), "", func(i blob.Info) error {
		out = append(out, i.Key)
		return nil
	}))
	return out
}

// put stores a file that no row names, as a crash leaves it.
func (h *house) put(key string) string {
	h.t.Helper()
	_, err := h.files.Put(h.t.Context(), key, strings.NewReader("x"), 10)
	require.NoError(h.t, err)
	return key
}

// stored sets when all files were stored.
func (h *house) stored(at time.Time) {
	h.t.Helper()
	for _, key := range h.keys() {
		require.NoError(h.t, os.Chtimes(filepath.Join(h.dir, "files", filepath.FromSlash(key)), at, at))
	}
}

func TestFilesThatNoRowNames(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	owner := h.owner()
	as := h.assessment(owner, settings())
	p := h.takesPart(owner, as.ID, "Zeno")
	attempt := look(h.bench, p.actor).Attempt
	before := h.keys()
	prefix := platform.BlobPrefix(attempt.Org, attempt.ID)
	h.put(prefix + "submissions/sub_crashed/archive")
	h.put(prefix + "gradings/job_crashed/1/report.json")
	foreign := h.put("orgs/org_other/attempts/att_other/submissions/sub_x/archive")
	assert.Zero(t, h.keep().Orphans, "they may be in use")
	assert.Len(t, h.keys(), len(before)+3)
	h.stored(h.clock().Add(-25 * time.Hour))
	young := h.put(prefix + "submissions/sub_young/archive")
	assert.Equal(t, 2, h.keep().Orphans)
	assert.ElementsMatch(t, append(before, foreign, young), h.keys(), "what rows name stays, and so does what may be another installation's")
	assert.Zero(t, h.keep().Orphans)
}

// All attempts come up for it, some in each round.
func TestOrphansOfManyAttempts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	owner := h.owner()
	as := h.assessment(owner, settings())
	const attempts = 45
	var refs []platform.Attempt
	for i := range attempts {
		candidate, _ := h.invited(owner, as.ID, string(rune('a'+i%26))+strings.Repeat("x", i)+"@x.example")
		refs = append(refs, *h.start(candidate).Attempt)
	}
	for range 2 { // it begins again
		for _, a := range refs {
			h.put(platform.BlobKey(a.Org, a.ID, "submissions/sub_crashed/archive"))
		}
		h.stored(h.clock().Add(-25 * time.Hour))
		removed, rounds := 0, 0
		for ; removed < attempts && rounds < 10; rounds++ {
			n := h.keep().Orphans
			assert.LessOrEqual(t, n, 20, "a round is bounded")
			removed += n
		}
		assert.Equal(t, attempts, removed)
		assert.Empty(t, h.keys())
	}
}

// While uploads are on their way, their files have no rows. None is taken from them.
func TestOrphansAndUploads(t *testing.T) {
	t.Parallel()
	var h *house
	between := 0
	h = newHouse(t, func() {
		between++
		require.NotEmpty(t, h.keys(), "the file is there, and its row is not")
	})
	owner := h.owner()
	as := h.assessment(owner, settings())
	stop, over := make(chan struct{}), make(chan struct{})
	end := sync.OnceFunc(func() {
		close(stop)
		<-over
	})
	defer end()
	go func() {
		defer close(over)
		for {
			select {
			case <-stop:
				return
			default:
				kept, err := h.HouseKeep(context.WithoutCancel(t.Context()), service.SystemActor(""))
				assert.NoError(t, err)
				assert.Zero(t, kept.Orphans)
			}
		}
	}()
	for _, word := range []string{"Zeno", "Berta", "Cleo"} {
		h.takesPart(owner, as.ID, word)
		h.stored(h.clock().Add(-25 * time.Hour)) // what has its row may be as old as it likes
	}
	end()
	assert.Equal(t, 6, between)
	assert.Len(t, h.keys(), 3*2*3, "archive, report and evidence of each")
}
