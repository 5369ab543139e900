package service_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/service/servicetest"
	"github.com/assay-run/assay/internal/platform/store"
)

func TestTheWholeWay(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	owner := b.owner()
	_, _, err := b.CreateEndpoint(ctx, owner, "https://ats.example/hook", platform.EventTypes())
	require.NoError(t, err)
	as := b.assessment(owner, settings())
	require.Equal(t, 3, as.Settings.Challenges[0].Version) // filled in
	candidate, invited := b.invited(owner, as.ID, "ann@x.example")

	own, err := b.OpenOwn(ctx, candidate)
	require.NoError(t, err)
	require.Equal(t, platform.InvitationOpened, own.Invitation.State)
	require.Equal(t, "Acme", own.Organization)
	require.Equal(t, 1, own.NextAttempt)
	require.Nil(t, own.Attempt)

	_, err = b.Start(ctx, candidate, 1, "something else")
	b.requireCode(platform.Invalid, err)
	begun := b.start(candidate)
	b.pass(10 * time.Minute)
	again := b.start(candidate)
	require.Equal(t, begun.Attempt.ID, again.Attempt.ID)
	require.Equal(t, begun.EndsAt, again.EndsAt, "asking twice starts no second clock")
	require.Equal(t, begun.Attempt.Clock.Started.Add(time.Hour), again.EndsAt)

	d, err := b.SaveDraft(ctx, candidate, "one", 0, "notes")
	require.NoError(t, err)
	_, err = b.SaveDraft(ctx, candidate, "one", 0, "from another tab")
	b.requireCode(platform.Conflict, err)
	_, err = b.SaveDraft(ctx, candidate, "one", d.Revision, "more")
	require.NoError(t, err)

	dry := b.handIn(candidate, platform.DryRun, "try")
	require.Equal(t, service.DryRunMode, dry.Job.Mode)
	b.finish(b.claim(), platform.Below, 40)
	final := b.handIn(candidate, platform.Final, "done")
	require.True(t, final.Complete)
	require.Equal(t, "standard", final.Job.Mode)
	require.Equal(t, []platform.ID{dry.Job.ID, final.Job.ID}, b.queue.jobs)
	_, err = b.Submit(ctx, candidate, b.upload(platform.Final, servicetest.Archive(t, "again")))
	b.requireCode(platform.Gone, err)

	results, err := b.OwnResults(ctx, candidate)
	require.NoError(t, err)
	require.Len(t, results, 1, "the final one is not graded yet")
	b.pass(time.Minute)
	result := b.finish(b.claim(), platform.Passed, 80)
	view, err := b.Attempt(ctx, owner, look(b, candidate).Attempt.ID)
	require.NoError(t, err)
	require.Equal(t, platform.AttemptReview, view.Attempt.State)
	require.Len(t, view.Results, 2)

	_, report, err := b.Report(ctx, owner, result.ID)
	require.NoError(t, err)
	text, err := io.ReadAll(report)
	require.NoError(t, err)
	require.JSONEq(t, `{"report":true}`, string(text))
	_, err = b.Decide(ctx, owner, view.Attempt.ID, platform.Advance, "Clear and calm.")
	require.NoError(t, err)
	require.Empty(t, look(b, candidate).Attempt.Decision, "the team tells decisions")
	require.Equal(t, platform.AttemptReview, look(b, candidate).Attempt.State)

	compared, err := b.Compare(ctx, owner, "one", 3, []platform.ID{view.Attempt.ID, view.Attempt.ID})
	require.NoError(t, err)
	require.Len(t, compared.Columns, 1)
	require.Equal(t, []platform.SkillPoints{{Skill: "memory", Points: 80, MaxPoints: 100}}, compared.Columns[0].Skills)

	require.ElementsMatch(t, []string{ // they happen at the same millisecond
		"installation.setup", "endpoint.manage", "assessment.create", "invitation.create", "attempt.start", "attempt.start",
		"submission.create", "submission.create", "report.view", "attempt.decide", "comparison.view",
	}, b.actions(owner))
	require.ElementsMatch(t, []platform.EventType{
		platform.EventInvited, platform.EventStarted, platform.EventSubmitted, platform.EventSubmitted, platform.EventGraded, platform.EventDecided,
	}, b.told(owner))

	require.NoError(t, b.EraseOwn(ctx, candidate))
	_, err = b.LookOwn(ctx, candidate)
	b.requireCode(platform.Gone, err)
	_, err = b.Invitation(ctx, owner, invited.Invitation.ID)
	b.requireCode(platform.NotFound, err)
	require.NotZero(t, b.blobs.count())
	_, err = b.HouseKeep(ctx, service.SystemActor(""))
	require.NoError(t, err)
	require.Zero(t, b.blobs.count(), "the files go with the rows")
}

// look is what the candidate sees.
func look(b *bench, c service.Actor) service.Own {
	b.t.Helper()
	own, err := b.LookOwn(b.t.Context(), c)
	require.NoError(b.t, err)
	return own
}

// told are the events that the only endpoint is told of, the oldest first.
func (b *bench) told(owner service.Actor) []platform.EventType {
	b.t.Helper()
	endpoints, err := b.Endpoints(b.t.Context(), owner)
	require.NoError(b.t, err)
	require.Nil(b.t, endpoints[0].SealedSecret)
	list, err := b.Deliveries(b.t.Context(), owner, endpoints[0].ID, platform.Page{})
	require.NoError(b.t, err)
	out := make([]platform.EventType, len(list.Items))
	for i, d := range list.Items {
		out[len(out)-1-i] = d.Type
		require.NotContains(b.t, string(d.Payload), "@", "no address goes to other systems")
	}
	return out
}

func TestWhatIntakeRefusesIsALine(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	candidate, _ := b.invited(owner, b.assessment(owner, settings()).ID, "c@x.example")
	b.start(candidate)
	for name, body := range map[string][]byte{"no archive": []byte("hello"), "a broken zip": servicetest.Archive(t, "x")[:60]} {
		out, err := b.Submit(t.Context(), candidate, b.upload(platform.Final, body))
		require.NoError(t, err, name)
		require.False(t, out.Submission.Intake.Accepted, name)
		require.NotEmpty(t, out.Submission.Intake.Problem, name)
		require.NotContains(t, out.Submission.Intake.Problem, "/", "no path of the server's")
		require.Nil(t, out.Job, name)
	}
	require.Empty(t, b.queue.jobs)
	require.Zero(t, b.blobs.count())
	b.handIn(candidate, platform.Final, "a refused one does not stand in the way")
}

func TestUploadsThatCannotBeTaken(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	s := settings()
	s.Challenges = append(s.Challenges, platform.AssessmentChallenge{ChallengeID: "two", Weight: 1})
	candidate, _ := b.invited(owner, b.assessment(owner, s).ID, "c@x.example")
	_, err := b.Submit(t.Context(), candidate, b.upload(platform.Final, servicetest.Archive(t, "x")))
	b.requireCode(platform.Conflict, err) // not started
	b.start(candidate)
	for name, c := range map[string]struct {
		change func(*service.Upload)
		want   platform.Code
	}{
		"empty":             {func(u *service.Upload) { u.Body = strings.NewReader("") }, platform.Invalid},
		"too large":         {func(u *service.Upload) { u.Body = io.LimitReader(zeros{}, b.MaxUploadBytes()+1) }, platform.Invalid},
		"broken off":        {func(u *service.Upload) { u.Body = io.MultiReader(strings.NewReader("PK"), failing{}) }, platform.Invalid},
		"no such challenge": {func(u *service.Upload) { u.ChallengeID = "../three" }, platform.NotFound},
		"no such kind":      {func(u *service.Upload) { u.Kind = "practice" }, platform.Invalid},
		"from the future":   {func(u *service.Upload) { u.ReceivedAt = b.clock().Add(time.Minute) }, platform.Invalid},
		"too late":          {func(u *service.Upload) { u.ReceivedAt = b.clock().Add(2 * time.Hour) }, platform.Gone},
	} {
		up := b.upload(platform.Final, servicetest.Archive(t, name))
		c.change(&up)
		_, err := b.Submit(t.Context(), candidate, up)
		require.Equal(t, c.want, platform.ErrorCode(err), "%s: %v", name, err)
		require.Zero(t, b.blobs.count(), name)
	}
	b.queue.broken = errors.New("the engine is down")
	_, err = b.Submit(t.Context(), candidate, b.upload(platform.Final, servicetest.Archive(t, "x")))
	b.requireCode(platform.Internal, err)
	require.Zero(t, b.blobs.count(), "what was put is taken away again")
	require.Empty(t, look(b, candidate).Submissions, "submission and job are stored with the place in the queue, or not at all")
	b.queue.broken, b.blobs.broken = nil, errors.New("disk full")
	_, err = b.Submit(t.Context(), candidate, b.upload(platform.Final, servicetest.Archive(t, "x")))
	b.requireCode(platform.Internal, err)
	require.Empty(t, look(b, candidate).Submissions)
	b.blobs.broken = nil
	b.handIn(candidate, platform.Final, "x")
	_, err = b.Submit(t.Context(), candidate, b.upload(platform.Final, servicetest.Archive(t, "second")))
	b.requireCode(platform.Conflict, err)
	require.Equal(t, 1, b.blobs.count())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestAnUploadUnderAKeyIsTakenOnce(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	candidate, _ := b.invited(owner, b.assessment(owner, settings()).ID, "c@x.example")
	b.start(candidate)
	body := servicetest.Archive(t, "x")
	up := b.upload(platform.Final, body)
	up.Key = "k1"
	first, err := b.Submit(t.Context(), candidate, up)
	require.NoError(t, err)
	up = b.upload(platform.Final, body)
	up.Key = "k1"
	second, err := b.Submit(t.Context(), candidate, up)
	require.NoError(t, err)
	require.Equal(t, first.Submission.ID, second.Submission.ID)
	require.Equal(t, first.Job.ID, second.Job.ID)
	require.True(t, second.Complete)
	require.Len(t, b.queue.jobs, 1)
	require.Equal(t, 1, b.blobs.count())
	up = b.upload(platform.Final, servicetest.Archive(t, "something else"))
	up.Key = "k1"
	_, err = b.Submit(t.Context(), candidate, up)
	b.requireCode(platform.Conflict, err)
}

func TestDryRunsThatWaitAreBounded(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	candidate, _ := b.invited(owner, b.assessment(owner, settings()).ID, "c@x.example")
	b.start(candidate)
	var last store.HandedIn
	for range service.MaxWaitingDryRuns {
		last = b.handIn(candidate, platform.DryRun, "try")
	}
	_, err := b.Submit(t.Context(), candidate, b.upload(platform.DryRun, servicetest.Archive(t, "one more")))
	b.requireCode(platform.RateLimited, err)
	_, err = b.CancelDryRun(t.Context(), candidate, last.Job.ID)
	require.NoError(t, err)
	b.handIn(candidate, platform.DryRun, "one more")
	final := b.handIn(candidate, platform.Final, "a final one is not held up")
	_, err = b.CancelDryRun(t.Context(), candidate, final.Job.ID)
	b.requireCode(platform.Conflict, err)
}

func TestAFaultOfOursCostsNoTime(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	candidate, _ := b.invited(owner, b.assessment(owner, settings()).ID, "c@x.example")
	ends := b.start(candidate).EndsAt
	b.handIn(candidate, platform.DryRun, "try")
	b.pass(time.Minute)
	job := b.claim()
	b.pass(4 * time.Minute)
	job = b.fault(job)
	require.Equal(t, platform.JobRetrying, job.State)
	own := look(b, candidate)
	require.NotContains(t, own.Gradings[0].Job.Why+own.Gradings[0].Place.Why, "engine", "how our fault describes itself is not for candidates")
	require.Contains(t, own.Gradings[0].Place.Why, "your clock stands")
	require.Empty(t, own.Gradings[0].Job.WorkerID)
	require.True(t, own.Paused)
	require.Equal(t, ends.Add(4*time.Minute), own.EndsAt, "the clock stands since the try began")
	b.pass(2 * time.Hour) // longer than the limit
	_, err := b.HouseKeep(t.Context(), service.SystemActor(""))
	require.NoError(t, err)
	require.Equal(t, platform.AttemptRunning, look(b, candidate).Attempt.State)
	b.finish(b.claim(), platform.Below, 10)
	own = look(b, candidate)
	require.False(t, own.Paused)
	require.Equal(t, ends.Add(2*time.Hour+4*time.Minute), own.EndsAt)
	b.handIn(candidate, platform.Final, "in time")
}

func TestAFinalSubmissionThatNobodyCanGradeBurnsNoAttempt(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	candidate, invited := b.invited(owner, b.assessment(owner, settings()).ID, "c@x.example")
	b.start(candidate)
	b.handIn(candidate, platform.Final, "done")
	used := func() int {
		v, err := b.Invitation(t.Context(), owner, invited.Invitation.ID)
		require.NoError(t, err)
		return v.Invitation.AttemptsUsed
	}
	require.Equal(t, 1, used())
	for range platform.DefaultMaxTries {
		b.pass(time.Hour)
		b.fault(b.claim())
	}
	require.Zero(t, used())
	own := look(b, candidate)
	require.Equal(t, platform.AttemptReview, own.Attempt.State)
	require.Equal(t, 2, own.NextAttempt, "it may be tried again")
	again, err := b.Start(t.Context(), candidate, 2, service.ConsentVersion)
	require.NoError(t, err)
	require.Equal(t, 2, again.Attempt.Number)
}

func TestTimeThatIsGivenIsSeenAtOnce(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	candidate, invited := b.invited(owner, b.assessment(owner, settings()).ID, "c@x.example")
	begun := b.start(candidate)
	_, err := b.ExtendAttempt(t.Context(), owner, begun.Attempt.ID, 30*time.Minute, "a fire alarm")
	require.NoError(t, err)
	require.Equal(t, begun.EndsAt.Add(30*time.Minute), look(b, candidate).EndsAt)
	require.NoError(t, b.SetExtraTime(t.Context(), owner, invited.Invitation.ID, 50))
	require.Equal(t, begun.EndsAt.Add(time.Hour), look(b, candidate).EndsAt)
	b.pass(3 * time.Hour)
	_, err = b.SaveDraft(t.Context(), candidate, "one", 0, "late")
	b.requireCode(platform.Gone, err)
	kept, err := b.HouseKeep(t.Context(), service.SystemActor(""))
	require.NoError(t, err)
	require.Equal(t, 1, kept.TimedOut)
	require.Equal(t, platform.AttemptExpired, look(b, candidate).Attempt.State)
}

func TestWhatACandidateSeesOfResults(t *testing.T) {
	for _, c := range []struct {
		sees    platform.Visibility
		verdict platform.Verdict
		want    service.OwnResult
	}{
		{platform.SeesNothing, platform.Passed, service.OwnResult{Sees: platform.SeesNothing}},
		{platform.SeesOutcome, platform.Passed, service.OwnResult{Sees: platform.SeesOutcome, Verdict: platform.Passed}},
		{platform.SeesScore, platform.Below, service.OwnResult{Sees: platform.SeesScore, Verdict: platform.Below, Score: 80, Low: 80, High: 80, Headline: "It held."}},
		{platform.SeesReport, platform.Passed, service.OwnResult{Sees: platform.SeesReport, Verdict: platform.Passed, Score: 80, Low: 80, High: 80, Headline: "It held.", Report: true}},
		{platform.SeesReport, platform.Withheld, service.OwnResult{Sees: platform.SeesOutcome, Verdict: platform.Incomplete}},
	} {
		b := newBench(t)
		owner := b.owner()
		s := settings()
		s.Visible = c.sees
		candidate, _ := b.invited(owner, b.assessment(owner, s).ID, "c@x.example")
		b.start(candidate)
		b.handIn(candidate, platform.Final, "x")
		r := b.finish(b.claim(), c.verdict, 80)
		got, err := b.OwnResults(t.Context(), candidate)
		require.NoError(t, err)
		c.want.ID, c.want.SubmissionID, c.want.ChallengeID, c.want.Kind = r.ID, r.SubmissionID, "one", platform.Final
		require.Equal(t, []service.OwnResult{c.want}, got)
		report, err := b.OwnReport(t.Context(), candidate, r.ID)
		if c.want.Report {
			require.NoError(t, err)
			require.NoError(t, report.Close())
		} else {
			b.requireCode(platform.Forbidden, err)
		}
		var out bytes.Buffer
		require.NoError(t, b.ExportOwn(t.Context(), candidate, &out))
		var data service.OwnData
		require.NoError(t, json.Unmarshal(out.Bytes(), &data))
		require.Equal(t, []service.OwnResult{c.want}, data.Results, "the export shows no more than the page")
		require.Nil(t, data.Attempts[0].Overall)
		if c.sees == platform.SeesNothing || c.sees == platform.SeesOutcome {
			require.Nil(t, look(b, candidate).Attempt.Overall)
		}
		if c.verdict == platform.Withheld {
			require.Nil(t, look(b, candidate).Attempt.Overall)
		}
	}
}

func TestAnInvitationThatIsTakenBack(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	as := b.assessment(owner, settings())
	candidate, invited := b.invited(owner, as.ID, "c@x.example")
	require.NoError(t, b.RevokeInvitation(t.Context(), owner, invited.Invitation.ID))
	_, err := b.OpenOwn(t.Context(), candidate)
	b.requireCode(platform.Gone, err)
	_, err = b.Start(t.Context(), candidate, 1, service.ConsentVersion)
	b.requireCode(platform.Gone, err)

	other, second := b.invited(owner, as.ID, "d@x.example")
	renewed, err := b.ResendInvitation(t.Context(), owner, second.Invitation.ID, time.Time{}, true)
	require.NoError(t, err)
	_, err = b.CandidateActor(t.Context(), second.Token)
	b.requireCode(platform.NotFound, err) // the old link is dead
	_, err = b.CandidateActor(t.Context(), renewed.Token)
	require.NoError(t, err)
	require.NoError(t, b.Withdraw(t.Context(), other))
	_, err = b.LookOwn(t.Context(), other)
	b.requireCode(platform.Gone, err)
	require.NoError(t, b.EraseOwn(t.Context(), other), "the right to be erased does not end with the invitation")
}

func TestARequestThatIsSentTwiceIsDoneOnce(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	calls := 0
	once := func(key string, fail error) (platform.Stored, bool, error) {
		return b.Once(t.Context(), owner, "POST /assessments", key, "hash", func(ctx context.Context) (platform.Stored, error) {
			calls++
			as, err := b.CreateAssessment(ctx, owner, settings())
			if err == nil {
				err = fail
			}
			return platform.Stored{Status: 201, Body: []byte(as.ID)}, err
		})
	}
	_, _, err := once("k", errors.New("our own fault"))
	require.Error(t, err)
	first, repeated, err := once("k", nil)
	require.NoError(t, err)
	require.False(t, repeated)
	second, repeated, err := once("k", nil)
	require.NoError(t, err)
	require.True(t, repeated)
	require.Equal(t, first, second)
	require.Equal(t, 2, calls)
	list, err := b.Assessments(t.Context(), owner, false, platform.Page{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1, "what failed left nothing")
	_, _, err = b.Once(t.Context(), service.Actor{}, "s", "k", "h", nil)
	b.requireCode(platform.Unauthorised, err)
}

func TestAnExportHoldsNoFormulas(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	as := b.assessment(owner, settings())
	names := []string{`=HYPERLINK("http://x")`, "+1", "-1", "@SUM(A1)", "  =1+1", "＝1", "Ann \"Q\", of X", "Zoë"}
	for _, n := range names {
		_, err := b.Invite(t.Context(), owner, service.NewInvitations{AssessmentID: as.ID, Invitees: []platform.Invitee{{Name: n, ExternalRef: n}}})
		require.NoError(t, err)
		b.pass(time.Second)
	}
	var out bytes.Buffer
	require.NoError(t, b.ExportResults(t.Context(), owner, as.ID, platform.OverviewFilter{}, platform.ByInvited, service.CSV, &out))
	rows, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, len(names)+1)
	for _, row := range rows {
		for _, cell := range row {
			require.False(t, strings.ContainsAny(strings.TrimSpace(cell)+" ", "＝") && !strings.HasPrefix(cell, "'"), cell)
			if cell != "" {
				require.NotContains(t, "=+-@", cell[:1], cell)
			}
		}
	}
	require.Equal(t, "Zoë", rows[1][2])
	require.Equal(t, "'=HYPERLINK(\"http://x\")", rows[len(names)][2])
	out.Reset()
	require.NoError(t, b.ExportResults(t.Context(), owner, as.ID, platform.OverviewFilter{}, platform.ByInvited, service.JSON, &out))
	var decoded []service.ExportedRow
	require.NoError(t, json.Unmarshal(out.Bytes(), &decoded))
	require.Len(t, decoded, len(names))
	require.Equal(t, names[0], decoded[len(names)-1].Name, "JSON needs no guard")
	b.requireCode(platform.Invalid, b.ExportResults(t.Context(), owner, as.ID, platform.OverviewFilter{}, platform.ByInvited, "xml", &out))
	out.Reset()
	require.NoError(t, b.ExportResults(t.Context(), owner, as.ID, platform.OverviewFilter{Search: "zo"}, platform.ByName, service.JSON, &out))
	require.NoError(t, json.Unmarshal(out.Bytes(), &decoded))
	require.Len(t, decoded, 1, "those that the list shows")
	out.Reset()
	b.requireCode(platform.Invalid, b.ExportResults(t.Context(), owner, as.ID, platform.OverviewFilter{}, "x", service.CSV, &out))
	require.Empty(t, out.Bytes(), "not even a head")
}
