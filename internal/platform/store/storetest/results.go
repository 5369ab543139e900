package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

func testResults(t *testing.T, open Open) {
	w := NewWorld(t, open)
	as := w.Assessment(Settings())
	a := w.Working(as, "ada")
	w.Submit(a, "log-aggregate", platform.Final)
	w.Submit(a, "surge-pricing-cpu", platform.Final)
	first := w.Claim("wrk_1")
	refused(w, platform.Invalid, func(tx *store.Tx) error {
		_, err := tx.Finish(w.ctx(), w.Org, first.ID, first.Fence, platform.Result{Verdict: platform.Untrusted})
		return err
	})
	w.Clock.Move(time.Minute)
	done := w.Finish(first, 90)
	assert.False(t, done.Settled, "another grading is missing")
	want := Verdict(90)
	want.ID, want.Org, want.JobID, want.SubmissionID, want.AttemptID, want.CandidateID = done.Result.ID, w.Org, first.ID, first.SubmissionID, a.ID, a.CandidateID
	want.AssessmentID, want.AssessmentVersion, want.ChallengeID, want.ChallengeVersion = as.ID, 1, "log-aggregate", 3
	want.Kind, want.Mode, want.Standing, want.GradedAt = platform.Final, "standard", true, start.Add(time.Minute)
	want.Codes = []string{"GC_PRESSURE", "LOOP_BLOCKED"}
	if first.ChallengeID != "log-aggregate" { // both wait since the same moment
		want.ChallengeID, want.ChallengeVersion, want.Mode = "surge-pricing-cpu", 1, "full"
	}
	assert.Equal(t, want, done.Result)
	assert.Equal(t, want, get(w, func(tx *store.Tx) (platform.Result, error) { return tx.Result(w.ctx(), w.Org, done.Result.ID) }))
	second := w.Claim("wrk_1")
	w.Clock.Move(time.Minute)
	done = w.Finish(second, 30)
	assert.True(t, done.Settled)
	overall := w.Attempt(a).Overall
	require.NotNil(t, overall)
	score, verdict := 70.0, platform.Passed // weights are 2 and 1
	if first.ChallengeID != "log-aggregate" {
		score, verdict = 50, platform.Below
	}
	assert.InDelta(t, score, overall.Score, 0)
	assert.Equal(t, verdict, overall.Verdict)
	assert.Equal(t, platform.AttemptReview, w.Attempt(a).State)
	job := get(w, func(tx *store.Tx) (platform.Job, error) { return tx.Job(w.ctx(), w.Org, second.ID) })
	assert.Equal(t, []any{platform.JobGraded, w.Clock.Now()}, []any{job.State, job.FinishedAt})

	w.Graded(w.Assessment(one()), "bea", 40)
	at := func(score float64) *float64 { return &score }
	for name, tt := range map[string]struct {
		filter store.ResultFilter
		want   int
	}{
		"all":           {store.ResultFilter{}, 3},
		"assessment":    {store.ResultFilter{AssessmentID: as.ID}, 2},
		"attempt":       {store.ResultFilter{AttemptID: a.ID}, 2},
		"challenge":     {store.ResultFilter{ChallengeID: "log-aggregate"}, 2},
		"verdict":       {store.ResultFilter{Verdict: platform.Passed}, 1},
		"code":          {store.ResultFilter{Code: "LOOP_BLOCKED"}, 3},
		"another code":  {store.ResultFilter{Code: "OOM_CGROUP"}, 0},
		"score":         {store.ResultFilter{MinScore: at(40)}, 2},
		"kind":          {store.ResultFilter{Kind: platform.DryRun}, 0},
		"submission":    {store.ResultFilter{SubmissionID: first.SubmissionID}, 1},
		"all together":  {store.ResultFilter{AssessmentID: as.ID, Verdict: platform.Passed, MinScore: at(91)}, 0},
		"and the older": {store.ResultFilter{Superseded: true}, 3},
	} {
		list := get(w, func(tx *store.Tx) (platform.List[platform.Result], error) {
			return tx.Results(w.ctx(), w.Org, tt.filter, platform.Page{})
		})
		assert.Len(t, list.Items, tt.want, name)
	}
	page := get(w, func(tx *store.Tx) (platform.List[platform.Result], error) {
		return tx.Results(w.ctx(), w.Org, store.ResultFilter{}, platform.Page{Limit: 2})
	})
	rest := get(w, func(tx *store.Tx) (platform.List[platform.Result], error) {
		return tx.Results(w.ctx(), w.Org, store.ResultFilter{}, platform.Page{Limit: 2, After: page.Next})
	})
	require.Len(t, rest.Items, 1)
	assert.Equal(t, want, rest.Items[0], "the oldest comes last, with criteria and codes")
}

func testRegrade(t *testing.T, open Open) {
	w := NewWorld(t, open)
	a := w.Graded(w.Assessment(one()), "ada", 55)
	assert.Equal(t, platform.Below, a.Overall.Verdict)
	list := func(superseded bool) []platform.Result {
		return get(w, func(tx *store.Tx) (platform.List[platform.Result], error) {
			return tx.Results(w.ctx(), w.Org, store.ResultFilter{AttemptID: a.ID, Superseded: superseded}, platform.Page{})
		}).Items
	}
	old := list(false)[0]
	regrade := func(tx *store.Tx) (platform.Job, error) { return tx.Regrade(w.ctx(), w.Org, old.SubmissionID) }
	w.Do(func(tx *store.Tx) error {
		_, err := tx.Decide(w.ctx(), w.Org, platform.Decision{AttemptID: a.ID, Outcome: platform.Reject, Reason: "Below.", DecidedBy: w.Owner})
		return err
	})
	j := get(w, regrade)
	assert.Empty(t, w.Attempt(a).Decision, "what it was decided on is open again")
	assert.Equal(t, []any{platform.JobRegrade, "standard"}, []any{j.Kind, j.Mode})
	assert.Equal(t, platform.AttemptGrading, w.Attempt(a).State)
	refused(w, platform.Conflict, func(tx *store.Tx) error { _, err := regrade(tx); return err })
	w.Clock.Move(time.Minute)
	claimed := w.Claim("wrk_1")
	assert.Equal(t, j.ID, claimed.ID)
	assert.True(t, w.Finish(claimed, 65).Settled)
	assert.Equal(t, platform.Passed, w.Attempt(a).Overall.Verdict, "the newest result counts")
	require.Len(t, list(false), 1)
	assert.InDelta(t, 65, list(false)[0].Score, 0)
	require.Len(t, list(true), 2)
	old.Standing = false
	assert.Equal(t, old, list(true)[1], "the older one is kept")

	dry := w.Submit(w.Working(w.Assessment(one()), "bea"), "log-aggregate", platform.DryRun)
	refused(w, platform.Conflict, func(tx *store.Tx) error { _, err := tx.Regrade(w.ctx(), w.Org, dry.Submission.ID); return err })
}

func testCompare(t *testing.T, open Open) {
	w := NewWorld(t, open)
	as := w.Assessment(one())
	ada, bea := w.Graded(as, "ada", 90), w.Graded(as, "bea", 50)
	newer := one()
	newer.Challenges[0].Version = 4
	cid := w.Graded(w.Assessment(newer), "cid", 70)
	compare := func(attempts ...platform.ID) []platform.ComparisonRow {
		return get(w, func(tx *store.Tx) ([]platform.ComparisonRow, error) {
			return tx.Compare(w.ctx(), w.Org, "log-aggregate", 3, attempts)
		})
	}
	rows := compare(ada.ID, bea.ID, cid.ID)
	require.Len(t, rows, 4, "two candidates with two criteria; another version of the challenge is another challenge")
	points := map[platform.ID]float64{}
	for i, r := range rows {
		assert.Equal(t, i%2, r.Position)
		assert.NotEqual(t, cid.ID, r.AttemptID)
		points[r.AttemptID] += r.Criterion.Points
	}
	assert.InDeltaMapValues(t, map[platform.ID]float64{ada.ID: 54, bea.ID: 30}, points, 1e-9)
	assert.Equal(t, Verdict(90).Criteria[0], compare(ada.ID)[0].Criterion)
	refused(w, platform.Invalid, func(tx *store.Tx) error { _, err := tx.Compare(w.ctx(), w.Org, "log-aggregate", 3, nil); return err })
}

func testDecisions(t *testing.T, open Open) {
	w := NewWorld(t, open)
	as := w.Assessment(one())
	a := w.Graded(as, "ada", 80)
	decide := func(o platform.Outcome, reason string) error {
		return w.Try(func(tx *store.Tx) error {
			_, err := tx.Decide(w.ctx(), w.Org, platform.Decision{AttemptID: a.ID, Outcome: o, Reason: reason, DecidedBy: w.Owner})
			return err
		})
	}
	assert.Equal(t, platform.Invalid, platform.ErrorCode(decide("hire", "good")))
	assert.Equal(t, platform.Invalid, platform.ErrorCode(decide(platform.Advance, "")), "a reason is needed")
	require.NoError(t, decide(platform.Hold, "One more talk."))
	w.Clock.Move(time.Hour)
	require.NoError(t, decide(platform.Advance, "Fast and exact."))
	assert.Equal(t, []any{platform.AttemptDecided, platform.Advance}, []any{w.Attempt(a).State, w.Attempt(a).Decision})
	history := get(w, func(tx *store.Tx) ([]platform.Decision, error) { return tx.Decisions(w.ctx(), w.Org, a.ID) })
	require.Len(t, history, 2)
	assert.Equal(t, platform.Decision{
		ID: history[0].ID, AttemptID: a.ID, Outcome: platform.Advance, Reason: "Fast and exact.", DecidedBy: w.Owner, At: start.Add(time.Hour),
	}, history[0])
	w.Do(func(tx *store.Tx) error { return tx.Undecide(w.ctx(), w.Org, a.ID) })
	assert.Equal(t, []any{platform.AttemptReview, platform.Outcome("")}, []any{w.Attempt(a).State, w.Attempt(a).Decision})
	refused(w, platform.Conflict, func(tx *store.Tx) error { return tx.Undecide(w.ctx(), w.Org, a.ID) })
	b := w.Working(as, "bea")
	refused(w, platform.Conflict, func(tx *store.Tx) error {
		_, err := tx.Decide(w.ctx(), w.Org, platform.Decision{AttemptID: b.ID, Outcome: platform.Reject, Reason: "too early", DecidedBy: w.Owner})
		return err
	})
}

func testOverview(t *testing.T, open Open) {
	w := NewWorld(t, open)
	as := w.Assessment(one())
	pending := w.Invite(as, platform.Invitee{Name: "Ärmel 100%", Email: "p@example.org", ExternalRef: "ATS-7"}).Invitation
	w.Clock.Move(time.Minute)
	good := w.Graded(as, "good", 90)
	bad := w.Graded(as, "bad", 20)
	working := w.Working(as, "working")
	w.Submit(working, "log-aggregate", platform.DryRun)
	revoked := w.Invite(as, platform.Invitee{Name: "revoked"}).Invitation
	w.Do(func(tx *store.Tx) error { return tx.RevokeInvitation(w.ctx(), w.Org, revoked.ID) })
	w.Do(func(tx *store.Tx) error {
		_, err := tx.Decide(w.ctx(), w.Org, platform.Decision{AttemptID: bad.ID, Outcome: platform.Reject, Reason: "no", DecidedBy: w.Owner})
		return err
	})
	list := func(f platform.OverviewFilter, sort platform.OverviewSort) []platform.OverviewRow {
		t.Helper()
		return get(w, func(tx *store.Tx) (platform.List[platform.OverviewRow], error) {
			return tx.Overview(w.ctx(), w.Org, as.ID, f, sort, platform.Page{})
		}).Items
	}
	names := func(rows []platform.OverviewRow) []string {
		out := []string{}
		for _, r := range rows {
			out = append(out, r.Candidate.Name)
		}
		return out
	}
	byScore := list(platform.OverviewFilter{}, platform.ByScore)
	require.Len(t, byScore, 5)
	assert.Equal(t, []string{"good", "bad"}, names(byScore)[:2])
	assert.Equal(t, good.Overall, byScore[0].Attempt.Overall)
	assert.Equal(t, "Memory stays flat, but the loop stops.", byScore[0].Headline)
	assert.Equal(t, start.Add(time.Minute), byScore[0].HandedInAt)
	assert.Equal(t, []string{"bad", "good", "revoked", "working", "Ärmel 100%"}, names(list(platform.OverviewFilter{}, platform.ByName)))
	assert.Equal(t, "Ärmel 100%", names(list(platform.OverviewFilter{}, ""))[4], "the newest first")

	stages := func(s ...platform.Stage) platform.OverviewFilter { return platform.OverviewFilter{Stages: s} }
	busy := list(stages(platform.StageRunning), "")
	require.Len(t, busy, 1)
	assert.Equal(t, []int{1, 0}, []int{busy[0].JobsWaiting, busy[0].JobsRunning})
	assert.Equal(t, start.Add(61*time.Minute), busy[0].EndsAt)
	first := list(stages(platform.StagePending, platform.StageExpired), "")
	require.Len(t, first, 1)
	assert.Nil(t, first[0].Attempt)
	assert.Equal(t, pending, first[0].Invitation)
	assert.Equal(t, platform.StagePending, first[0].Stage)
	floor := 20.0
	for name, tt := range map[string]struct {
		filter platform.OverviewFilter
		want   []string
	}{
		"revoked":                 {stages(platform.StageRevoked), []string{"revoked"}},
		"verdict":                 {platform.OverviewFilter{Verdict: platform.Passed}, []string{"good"}},
		"decision":                {platform.OverviewFilter{Decision: platform.Reject}, []string{"bad"}},
		"score":                   {platform.OverviewFilter{MinScore: &floor}, []string{"bad", "good"}},
		"name":                    {platform.OverviewFilter{Search: "äRM"}, []string{"Ärmel 100%"}},
		"address":                 {platform.OverviewFilter{Search: "GOOD@"}, []string{"good"}},
		"reference":               {platform.OverviewFilter{Search: "ats-7"}, []string{"Ärmel 100%"}},
		"a sign, not a joker":     {platform.OverviewFilter{Search: "%"}, []string{"Ärmel 100%"}},
		"no joker either":         {platform.OverviewFilter{Search: "g__d"}, []string{}},
		"a zero byte is harmless": {platform.OverviewFilter{Search: "a\x00"}, []string{}},
	} {
		assert.Equal(t, tt.want, names(list(tt.filter, platform.ByName)), name)
	}
	counts := get(w, func(tx *store.Tx) (map[platform.Stage]int, error) { return tx.StageCounts(w.ctx(), w.Org, as.ID) })
	assert.Equal(t, map[platform.Stage]int{
		platform.StagePending: 1, platform.StageReview: 1, platform.StageDecided: 1, platform.StageRunning: 1, platform.StageRevoked: 1,
	}, counts)
	w.Clock.Move(8 * 24 * time.Hour)
	assert.Equal(t, []string{"Ärmel 100%"}, names(list(stages(platform.StageExpired), "")), "time alone has expired it")
}

func testOverviewPages(t *testing.T, open Open) {
	w := NewWorld(t, open)
	as := w.Assessment(one())
	for i, score := range []float64{50, 50, 50, 80, 20} {
		w.Graded(as, string(rune('a'+i)), score)
	}
	for range 4 {
		w.Invite(as, platform.Invitee{Name: "same name"})
	}
	read := func(sort platform.OverviewSort, after platform.Cursor) platform.List[platform.OverviewRow] {
		return get(w, func(tx *store.Tx) (platform.List[platform.OverviewRow], error) {
			return tx.Overview(w.ctx(), w.Org, as.ID, platform.OverviewFilter{}, sort, platform.Page{Limit: 2, After: after})
		})
	}
	for _, sort := range []platform.OverviewSort{platform.ByInvited, platform.ByName, platform.ByScore, platform.ByHandedIn} {
		seen := map[platform.ID]bool{}
		n := 0
		for list := read(sort, ""); ; list = read(sort, list.Next) {
			for _, r := range list.Items {
				seen[r.Invitation.ID] = true
				n++
			}
			if list.Next == "" {
				break
			}
		}
		assert.Equal(t, 9, n, "%s: each once", sort)
		assert.Len(t, seen, 9, sort)
	}
	next := read(platform.ByScore, "").Next
	refused(w, platform.Invalid, func(tx *store.Tx) error {
		_, err := tx.Overview(w.ctx(), w.Org, as.ID, platform.OverviewFilter{}, platform.ByName, platform.Page{After: next})
		return err
	})
	refused(w, platform.Invalid, func(tx *store.Tx) error {
		_, err := tx.Overview(w.ctx(), w.Org, as.ID, platform.OverviewFilter{}, "age", platform.Page{})
		return err
	})
	mark, err := next.Decode()
	require.NoError(t, err)
	w.Do(func(tx *store.Tx) error { return tx.EraseInvitation(w.ctx(), w.Org, mark.ID) })
	refused(w, platform.Gone, func(tx *store.Tx) error {
		_, err := tx.Overview(w.ctx(), w.Org, as.ID, platform.OverviewFilter{}, platform.ByScore, platform.Page{After: next})
		return err
	})
}
