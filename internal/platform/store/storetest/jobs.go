package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// place says where a job stands, and checks that whoever is told from the standing of the whole queue is told the same.
func (w *World) place(j *platform.Job) (p store.Place) {
	w.T.Helper()
	w.Do(func(tx *store.Tx) (err error) {
		if p, err = tx.Place(w.ctx(), j.Org, j.ID); err != nil {
			return err
		}
		now, err := tx.Job(w.ctx(), j.Org, j.ID)
		if err != nil {
			return err
		}
		all, err := tx.SystemStanding(w.ctx())
		if err != nil {
			return err
		}
		shared, ok := all.Place(now)
		if assert.Equal(w.T, now.State.Waiting() && !now.RunAfter.After(w.Clock.Now()), ok) && ok {
			assert.Equal(w.T, p, shared)
		}
		return nil
	})
	return p
}

// claimAll claims until nothing waits, and checks that each job's place was right.
func claimAll(w *World, jobs ...*platform.Job) []platform.ID {
	w.T.Helper()
	foretold := map[int]platform.ID{}
	for _, j := range jobs {
		p := w.place(j)
		assert.NotContains(w.T, foretold, p.Ahead, "no two have the same place")
		foretold[p.Ahead] = j.ID
	}
	var out []platform.ID
	for {
		w.Clock.Move(time.Second)
		j := w.Claim("wrk_1")
		if j == nil {
			break
		}
		assert.Equal(w.T, foretold[len(out)], j.ID, "claim %d is the one that was foretold", len(out))
		out = append(out, j.ID)
	}
	require.Len(w.T, out, len(jobs))
	return out
}

func testQueueOrder(t *testing.T, open Open) {
	w := NewWorld(t, open)
	as := w.Assessment(Settings())
	assert.Nil(t, w.Claim("wrk_1"), "nothing waits")
	eager, calm := w.Working(as, "eager"), w.Working(as, "calm")
	job := func(a platform.Attempt, kind platform.SubmissionKind) *platform.Job {
		w.Clock.Move(time.Second)
		return w.Submit(a, "log-aggregate", kind).Job
	}
	e1, e2, e3 := job(eager, platform.DryRun), job(eager, platform.DryRun), job(eager, platform.DryRun)
	c1 := job(calm, platform.DryRun)
	final := job(calm, platform.Final)
	w.Do(func(tx *store.Tx) error { return tx.SystemSeen(w.ctx(), platform.Worker{ID: "wrk_1", Slots: 2}) })
	w.Do(func(tx *store.Tx) error {
		return tx.SystemSeen(w.ctx(), platform.Worker{ID: "wrk_2", Slots: 3, Draining: true})
	})
	p := w.place(e3)
	assert.Equal(t, store.Place{State: platform.JobQueued, Ahead: 4, Slots: 2}, p)
	assert.Equal(t, []platform.ID{final.ID, e1.ID, c1.ID, e2.ID, e3.ID}, claimAll(w, e1, e2, e3, c1, final),
		"final before dry run; who has put in one comes before who has put in more")
	assert.Equal(t, store.Place{State: platform.JobRunning, Running: 5, Slots: 2}, w.place(e3))

	c2 := job(calm, platform.DryRun)
	e4 := job(eager, platform.DryRun)
	assert.Equal(t, []platform.ID{c2.ID, e4.ID}, claimAll(w, c2, e4))

	list := get(w, func(tx *store.Tx) (platform.List[platform.Job], error) {
		return tx.Jobs(w.ctx(), w.Org, store.JobFilter{States: []platform.JobState{platform.JobRunning, platform.JobQueued}, SubmissionID: e4.SubmissionID}, platform.Page{})
	})
	require.Len(t, list.Items, 1)
	assert.Equal(t, e4.ID, list.Items[0].ID)
}

func testQueueFairness(t *testing.T, open Open) {
	w := NewWorld(t, open)
	w.Clock.Move(time.Second) // ids of the same moment have no order
	other := w.Second("second")
	big, small := w.Assessment(Settings()), other.Assessment(Settings())
	var jobs []*platform.Job
	for i := range 6 {
		w.Clock.Move(time.Second)
		jobs = append(jobs, w.Submit(w.Working(big, fmt.Sprint("c", i)), "log-aggregate", platform.Final).Job)
	}
	w.Clock.Move(time.Second)
	b := other.Submit(other.Working(small, "b"), "log-aggregate", platform.DryRun).Job
	running := w.Claim("wrk_1")
	assert.Equal(t, jobs[0].ID, running.ID, "neither had a turn; the older organisation comes first")
	assert.Equal(t, 0, w.place(b).Ahead, "one organisation's many do not keep another's one waiting")
	order := claimAll(w, append(jobs[1:], b)...)
	assert.Equal(t, b.ID, order[0])
}

func testLeases(t *testing.T, open Open) {
	w := NewWorld(t, open)
	a := w.Working(w.Assessment(Settings()), "ada")
	queued := w.Submit(a, "log-aggregate", platform.DryRun).Job
	j := w.Claim("wrk_1")
	assert.Equal(t, []any{platform.JobRunning, 1, int64(1), platform.ID("wrk_1"), start.Add(lease)}, []any{j.State, j.Tries, j.Fence, j.WorkerID, j.LeaseUntil})
	assert.Nil(t, get(w, func(tx *store.Tx) (*platform.Job, error) { return tx.ClaimJob(w.ctx(), w.Org, j.ID, "wrk_2", lease) }), "it is taken")

	w.Clock.Move(50 * time.Second)
	beat := func(fence int64) (cancel bool, err error) {
		err = w.Try(func(tx *store.Tx) (err error) {
			cancel, err = tx.Heartbeat(w.ctx(), w.Org, j.ID, fence, lease, "main file, run 2 of 5")
			return err
		})
		return cancel, err
	}
	cancel, err := beat(1)
	require.NoError(t, err)
	assert.False(t, cancel)
	now := get(w, func(tx *store.Tx) (platform.Job, error) { return tx.Job(w.ctx(), w.Org, j.ID) })
	assert.Equal(t, []any{"main file, run 2 of 5", start.Add(50*time.Second + lease)}, []any{now.Progress, now.LeaseUntil})
	lost := func() []store.Ref {
		return get(w, func(tx *store.Tx) ([]store.Ref, error) { return tx.SystemLost(w.ctx(), 10) })
	}
	w.Clock.Move(lease)
	assert.Empty(t, lost())
	rescue := func() (j platform.Job, rescued bool) {
		w.Do(func(tx *store.Tx) (err error) { j, rescued, err = tx.Rescue(w.ctx(), w.Org, queued.ID); return err })
		return j, rescued
	}
	_, rescued := rescue()
	assert.False(t, rescued, "the lease still holds")
	w.Clock.Move(time.Millisecond)
	assert.Equal(t, []store.Ref{{Org: w.Org, ID: j.ID}}, lost())
	again, rescued := rescue()
	assert.True(t, rescued)
	assert.Equal(t, platform.JobRetrying, again.State)
	assert.NotEmpty(t, again.Why)
	_, err = beat(1)
	assert.Equal(t, platform.Conflict, platform.ErrorCode(err), "the silent worker has lost it")

	second := get(w, func(tx *store.Tx) (*platform.Job, error) { return tx.ClaimJob(w.ctx(), w.Org, j.ID, "wrk_2", lease) })
	require.NotNil(t, second)
	assert.Equal(t, []any{int64(2), 2, platform.ID("wrk_2")}, []any{second.Fence, second.Tries, second.WorkerID})
	_, err = beat(1)
	assert.Equal(t, platform.Conflict, platform.ErrorCode(err), "and cannot keep its successor's lease")

	back := get(w, func(tx *store.Tx) (platform.Job, error) { return tx.Release(w.ctx(), w.Org, j.ID, 2) })
	assert.Equal(t, []any{platform.JobQueued, 1}, []any{back.State, back.Tries}, "draining costs no try")
	third := w.Claim("wrk_3")
	assert.Equal(t, int64(3), third.Fence)
}

func testFaults(t *testing.T, open Open) {
	w := NewWorld(t, open)
	a := w.Working(w.Assessment(one()), "ada")
	w.Submit(a, "log-aggregate", platform.Final)
	for try := 1; try <= platform.DefaultMaxTries; try++ {
		j := w.Claim("wrk_1")
		require.NotNil(t, j, "try %d", try)
		var settled bool
		after := get(w, func(tx *store.Tx) (out platform.Job, err error) {
			out, settled, err = tx.Faulted(w.ctx(), w.Org, j.ID, j.Fence, platform.FaultInfrastructure, "The engine is down.")
			return out, err
		})
		assert.Equal(t, "The engine is down.", after.Why)
		if try == platform.DefaultMaxTries {
			assert.Equal(t, platform.JobFailed, after.State)
			assert.True(t, settled)
			break
		}
		assert.Equal(t, platform.JobRetrying, after.State)
		assert.False(t, settled)
		assert.Nil(t, w.Claim("wrk_1"), "it waits first")
		assert.Nil(t, get(w, func(tx *store.Tx) (*platform.Job, error) { return tx.ClaimJob(w.ctx(), w.Org, j.ID, "wrk_1", lease) }))
		p := w.place(j)
		assert.Equal(t, []any{"The engine is down.", w.Clock.Now().Add(platform.Backoff(try))}, []any{p.Why, p.NotBefore})
		w.Clock.Move(platform.Backoff(try))
	}
	done := w.Attempt(a)
	assert.Equal(t, platform.AttemptReview, done.State, "a person must look")
	require.NotNil(t, done.Overall)
	assert.Equal(t, platform.Incomplete, done.Overall.Verdict, "nothing is charged to the candidate")

	testLosses(t, w)
	b := w.Working(w.Assessment(one()), "bea")
	w.Submit(b, "log-aggregate", platform.Final)
	for range platform.DefaultMaxTries {
		j := w.Claim("wrk_1")
		w.Do(func(tx *store.Tx) error {
			_, _, err := tx.Faulted(w.ctx(), w.Org, j.ID, j.Fence, platform.FaultInvalid, "The reference runs disagree.")
			return err
		})
		w.Clock.Move(time.Hour)
	}
	jobs := get(w, func(tx *store.Tx) (platform.List[platform.Job], error) {
		return tx.Jobs(w.ctx(), w.Org, store.JobFilter{AttemptID: b.ID}, platform.Page{})
	})
	assert.Equal(t, platform.JobInvalid, jobs.Items[0].State)
}

// testLosses loses workers: a server that is restarted again and again uses no try up, unless it never ends.
func testLosses(t *testing.T, w *World) {
	lose := func(a platform.Attempt) platform.Job {
		j := w.Claim("wrk_1")
		require.NotNil(t, j)
		require.Equal(t, a.ID, j.AttemptID)
		w.Clock.Move(lease + time.Second)
		w.Do(func(tx *store.Tx) error {
			_, rescued, err := tx.Rescue(w.ctx(), w.Org, j.ID)
			assert.True(t, rescued)
			return err
		})
		return get(w, func(tx *store.Tx) (platform.Job, error) { return tx.Job(w.ctx(), w.Org, j.ID) })
	}
	a := w.Working(w.Assessment(one()), "dan")
	w.Submit(a, "log-aggregate", platform.Final)
	for range platform.DefaultMaxTries {
		assert.Equal(t, platform.JobRetrying, lose(a).State)
	}
	for try := 1; try <= platform.DefaultMaxTries; try++ {
		j := w.Claim("wrk_1")
		require.NotNil(t, j, "fault %d after losses", try)
		after := get(w, func(tx *store.Tx) (out platform.Job, err error) {
			out, _, err = tx.Faulted(w.ctx(), w.Org, j.ID, j.Fence, platform.FaultInfrastructure, "The engine is down.")
			return out, err
		})
		assert.Equal(t, try == platform.DefaultMaxTries, after.State == platform.JobFailed, "losses have used up none of its tries")
		w.Clock.Move(platform.Backoff(try))
	}

	b := w.Working(w.Assessment(one()), "eve")
	w.Submit(b, "log-aggregate", platform.Final)
	lost := 0
	for state := platform.JobRetrying; state == platform.JobRetrying; lost++ {
		require.Less(t, lost, 100, "it ends")
		state = lose(b).State
		w.Clock.Move(time.Minute)
	}
	assert.Equal(t, platform.DefaultMaxTries+platform.MaxLosses, lost, "a grading that ends its workers ends")
}

func testCancel(t *testing.T, open Open) {
	w := NewWorld(t, open)
	a := w.Working(w.Assessment(one()), "ada")
	waiting := w.Submit(a, "log-aggregate", platform.DryRun).Job
	cancel := func(id platform.ID) (j platform.Job) {
		w.Do(func(tx *store.Tx) (err error) {
			j, _, err = tx.CancelJob(w.ctx(), w.Org, id, "by the candidate")
			return err
		})
		return j
	}
	assert.Equal(t, platform.JobCancelled, cancel(waiting.ID).State)
	assert.Nil(t, w.Claim("wrk_1"))
	refused(w, platform.Conflict, func(tx *store.Tx) error { _, _, err := tx.CancelJob(w.ctx(), w.Org, waiting.ID, "again"); return err })

	w.Submit(a, "log-aggregate", platform.DryRun)
	j := w.Claim("wrk_1")
	refused(w, platform.Conflict, func(tx *store.Tx) error { _, _, err := tx.Cancelled(w.ctx(), w.Org, j.ID, j.Fence); return err })
	asked := cancel(j.ID)
	assert.Equal(t, []any{platform.JobRunning, true}, []any{asked.State, asked.CancelRequested}, "the worker is asked first")
	var told bool
	w.Do(func(tx *store.Tx) (err error) {
		told, err = tx.Heartbeat(w.ctx(), w.Org, j.ID, j.Fence, lease, "")
		return err
	})
	assert.True(t, told)
	refused(w, platform.Conflict, func(tx *store.Tx) error { _, err := tx.Finish(w.ctx(), w.Org, j.ID, j.Fence, Verdict(80)); return err })
	w.Do(func(tx *store.Tx) error { _, _, err := tx.Cancelled(w.ctx(), w.Org, j.ID, j.Fence); return err })
	assert.Equal(t, platform.JobCancelled, get(w, func(tx *store.Tx) (platform.Job, error) { return tx.Job(w.ctx(), w.Org, j.ID) }).State)

	w.Submit(a, "log-aggregate", platform.DryRun)
	lostJob := w.Claim("wrk_1")
	cancel(lostJob.ID)
	w.Clock.Move(2 * lease)
	var rescued platform.Job
	w.Do(func(tx *store.Tx) (err error) { rescued, _, err = tx.Rescue(w.ctx(), w.Org, lostJob.ID); return err })
	assert.Equal(t, platform.JobCancelled, rescued.State, "what nobody wants is not made again")

	w.Submit(a, "log-aggregate", platform.DryRun)
	held := w.Claim("wrk_1")
	w.Do(func(tx *store.Tx) error { return tx.RevokeInvitation(w.ctx(), w.Org, a.InvitationID) })
	w.Do(func(tx *store.Tx) (err error) {
		told, err = tx.Heartbeat(w.ctx(), w.Org, held.ID, held.Fence, lease, "")
		return err
	})
	assert.True(t, told, "with the invitation its gradings end")
}

// testTwoFinishes lets a late worker and its successor write a verdict at the same moment.
func testTwoFinishes(t *testing.T, open Open) {
	w := NewWorld(t, open)
	for round := range 5 {
		a := w.Working(w.Assessment(one()), fmt.Sprint("c", round))
		w.Submit(a, "log-aggregate", platform.Final)
		late := w.Claim("wrk_late")
		w.Clock.Move(2 * lease)
		w.Do(func(tx *store.Tx) error { _, _, err := tx.Rescue(w.ctx(), w.Org, late.ID); return err })
		fresh := w.Claim("wrk_fresh")
		require.Equal(t, late.ID, fresh.ID)
		finish := func(fence int64, score float64) error {
			return w.Store.Tx(w.ctx(), func(tx *store.Tx) error {
				_, err := tx.Finish(w.ctx(), w.Org, late.ID, fence, Verdict(score))
				return err
			})
		}
		const each = 4 // a network may repeat what it carries
		errs := make([]error, 2*each)
		var all sync.WaitGroup
		for i := range each {
			all.Go(func() { errs[i] = finish(late.Fence, 10) })
			all.Go(func() { errs[each+i] = finish(fresh.Fence, 90) })
		}
		all.Wait()
		won := 0
		for i, err := range errs {
			if err == nil {
				won++
				assert.GreaterOrEqual(t, i, each, "the late one has lost")
				continue
			}
			assert.Equal(t, platform.Conflict, platform.ErrorCode(err), "%v", err)
		}
		assert.Equal(t, 1, won)
		list := get(w, func(tx *store.Tx) (platform.List[platform.Result], error) {
			return tx.Results(w.ctx(), w.Org, store.ResultFilter{AttemptID: a.ID, Superseded: true}, platform.Page{})
		})
		require.Len(t, list.Items, 1, "one verdict")
		assert.InDelta(t, 90, list.Items[0].Score, 0)
	}
}

// testManyWorkers lets several workers take and finish jobs at once.
func testManyWorkers(t *testing.T, open Open) {
	w := NewWorld(t, open)
	as := w.Assessment(one())
	const jobs, workers = 24, 6
	for i := range jobs {
		w.Submit(w.Working(as, fmt.Sprint("c", i)), "log-aggregate", platform.Final)
	}
	var mu sync.Mutex
	graded := map[platform.ID]int{}
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			for {
				var j *platform.Job
				err := w.Store.Tx(w.ctx(), func(tx *store.Tx) (err error) {
					j, err = tx.Claim(w.ctx(), platform.ID(fmt.Sprint("wrk_", i)), lease)
					return err
				})
				if !assert.NoError(t, err) || j == nil {
					return
				}
				err = w.Store.Tx(w.ctx(), func(tx *store.Tx) error {
					_, err := tx.Finish(w.ctx(), w.Org, j.ID, j.Fence, Verdict(70))
					return err
				})
				assert.NoError(t, err)
				mu.Lock()
				graded[j.ID]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	assert.Len(t, graded, jobs)
	for id, n := range graded {
		assert.Equal(t, 1, n, "%s is claimed once", id)
	}
	counts := get(w, func(tx *store.Tx) (map[platform.Stage]int, error) { return tx.StageCounts(w.ctx(), w.Org, as.ID) })
	assert.Equal(t, map[platform.Stage]int{platform.StageReview: jobs}, counts)
}
