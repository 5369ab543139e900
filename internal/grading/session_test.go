package grading

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
)

func TestSessionOrder(t *testing.T) {
	t.Parallel()
	s := &stage{}
	ev, err := s.grade(t.Context(), "standard")
	require.NoError(t, err)
	assert.Equal(t, []string{
		"main reference 0", "main candidate 0", "small reference 0", "small candidate 0",
		"main reference 1", "main candidate 1", "small reference 1", "small candidate 1",
		"main reference 2", "main candidate 2",
		"main reference 3", "small reference 2",
		"odd reference 0", "odd candidate 0",
		"main control 0",
	}, s.runs)
	require.Len(t, ev.Attempts, 1)
	assert.Empty(t, ev.Attempts[0].Invalid)
	assert.Len(t, ev.Attempts[0].CalibrationNs, 3)
	assert.Len(t, s.warmed, len(s.runs), "the page cache is prepared before every run")
	assert.Zero(t, s.open, "workspaces are removed")
	assert.Zero(t, s.grader.held, "data is given back")
	assert.ElementsMatch(t, []string{"candidate", "reference", "control"}, s.staged)

	for i, run := range ev.Attempts[0].Runs {
		if i > 0 {
			assert.Greater(t, run.StartedNs, ev.Attempts[0].Runs[i-1].StartedNs)
		}
		spec := s.specs[i]
		assert.Equal(t, []string{"node", string(run.Role) + ".mjs"}, spec.Start)
		assert.Equal(t, string(run.Role), spec.Workspace.ID())
		assert.Equal(t, int64(256*mib), spec.Limits.MemoryBytes)
		assert.Greater(t, spec.Timeout, time.Minute, "our backstop lies above the limit of the scenario")
	}
	last := s.events[len(s.events)-1]
	assert.Equal(t, EventRan, last.Kind)
	assert.Equal(t, 15, last.Done)
	assert.Equal(t, 15, last.Total)
}

func TestSessionOfOnePairClosesWithAReference(t *testing.T) {
	t.Parallel()
	s := &stage{}
	ev, err := s.grade(t.Context(), "quick")
	require.NoError(t, err)
	assert.Equal(t, []string{
		"main reference 0", "main candidate 0", "small reference 0", "small candidate 0",
		"main reference 1", "small reference 1", "odd reference 0", "odd candidate 0", "main control 0",
	}, s.runs)
	r, err := Judge(testChallenge(), fakeKinds(), ev)
	require.NoError(t, err)
	assert.Equal(t, Pass, r.Verdict)
}

func TestSessionRecordsWhereItRan(t *testing.T) {
	t.Parallel()
	s := &stage{}
	req := s.request("quick")
	req.Environment = evidence.Environment{Node: "v24.0.0", PageCache: "warm", Engine: "overwritten"}
	ev, err := Grade(t.Context(), s.deps(), req)
	require.NoError(t, err)
	env := ev.Environment
	assert.Equal(t, "fake", env.Engine)
	assert.Equal(t, "v24.0.0", env.Node)
	assert.Equal(t, "warm", env.PageCache)
	assert.Equal(t, "runc", env.Runtime)
	assert.Equal(t, "assay default", env.Seccomp)
	assert.Equal(t, "1", env.CandidateCores)
	assert.Equal(t, int64(256*mib), env.MemoryBytes)
	assert.True(t, ev.Finished.After(ev.Started))
	assert.Equal(t, "sample", ev.Challenge.ID)
	assert.Len(t, ev.ID, 16)
}

func TestSessionRepeatsWhatIsInvalid(t *testing.T) {
	t.Parallel()
	passes := story{control: always(goodFigures())}
	tests := []struct {
		name     string
		mode     string
		first    story
		later    []story
		attempts int
		invalid  bool
	}{
		{"valid at once", "standard", story{}, nil, 1, false},
		{"valid at the second try", "standard", passes, []story{{}}, 2, false},
		{"never valid", "standard", passes, []story{passes, passes}, 3, true},
		{"practice is not repeated", "quick", passes, nil, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &stage{story: tt.first, attempts: tt.later}
			ev, err := s.grade(t.Context(), tt.mode)
			require.NoError(t, err, "an invalid grading is a result")
			require.Len(t, ev.Attempts, tt.attempts)
			for i, a := range ev.Attempts {
				last := i == tt.attempts-1
				assert.Equal(t, !last || tt.invalid, a.Invalid != "")
				assert.Equal(t, last, a.Runs[0].Executions[0].Series != nil, "only the judged attempt keeps its curves")
			}
			r, err := Judge(testChallenge(), s.deps().Graders, ev)
			require.NoError(t, err)
			assert.Equal(t, tt.invalid, r.Verdict == Invalid)
			assert.Equal(t, tt.attempts-1, r.Noise.Repeats)
		})
	}
}

func TestSessionChecksTheHarnessFirst(t *testing.T) {
	t.Parallel()
	quick := evidence.Heartbeat{Due: 150, Answered: 150, P99Ns: 1e6, MaxNs: 2e6}
	slow := evidence.Heartbeat{Due: 150, Answered: 150, P99Ns: 27e6, MaxNs: 40e6}
	fair := evidence.Heartbeat{Due: 150, Answered: 150, P99Ns: 4e6, MaxNs: 15e6}
	tests := []struct {
		name    string
		seen    []evidence.Heartbeat // the last one stays
		checks  int
		invalid bool
	}{
		{"quiet", []evidence.Heartbeat{quick}, 1, false},
		{"quiet after a while", []evidence.Heartbeat{slow, slow, quick}, 3, false},
		{"never quiet, but good enough", []evidence.Heartbeat{slow, fair, slow}, quietTries, false},
		{"good enough in the end", []evidence.Heartbeat{slow, slow, slow, fair}, 4, false},
		{"too busy", []evidence.Heartbeat{slow}, harnessTries, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &stage{}
			deps := s.deps()
			asked := 0
			deps.Harness = func(context.Context) (evidence.Heartbeat, error) {
				asked++
				return tt.seen[min(asked, len(tt.seen))-1], nil
			}
			ev, err := Grade(t.Context(), deps, s.request("quick"))
			require.NoError(t, err)
			assert.Equal(t, tt.checks, asked)
			assert.Len(t, ev.Last().Harness, tt.checks)
			assert.Equal(t, tt.invalid, len(ev.Last().Runs) == 0, "nothing runs on a machine that is too busy")
			r, err := Judge(testChallenge(), deps.Graders, ev)
			require.NoError(t, err)
			assert.Equal(t, tt.invalid, r.Verdict == Invalid)
			if tt.invalid {
				assert.Contains(t, r.Invalid, "The machine was too busy to measure anything: in the best of 6 checks")
			}
		})
	}
}

func TestSessionDataIsFreshAndBoundByTheSeed(t *testing.T) {
	t.Parallel()
	s := &stage{story: story{control: always(goodFigures())}, attempts: []story{{}}}
	ev, err := s.grade(t.Context(), "standard")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, p := range s.grader.prepared {
		assert.Len(t, p.Seed, 32)
		assert.Equal(t, time.Minute, p.Timeout)
		assert.False(t, seen[string(p.Seed)], "every scenario of every attempt has its own data")
		seen[string(p.Seed)] = true
	}
	assert.Len(t, seen, 2*3)
	assert.Equal(t, EventCommitted, s.events[0].Kind, "the commitment comes before everything else")
	assert.Equal(t, ev.Seed.Commitment, s.events[0].Message)

	again := &stage{}
	req := again.request("quick")
	req.Seed = make([]byte, seedBytes)
	_, err = Grade(t.Context(), again.deps(), req)
	require.NoError(t, err)
	assert.Equal(t, scenarioSeed(req.Seed, 0, "main"), again.grader.prepared[0].Seed, "a given seed repeats a grading")
}

func TestSessionInvalidReasons(t *testing.T) {
	t.Parallel()
	drift := &stage{calibration: []int64{1000, 1000, 1200}}
	ev, err := drift.grade(t.Context(), "quick")
	require.NoError(t, err)
	assert.Contains(t, ev.Last().Invalid, "speed of the core")
	assert.Equal(t, []string{ev.Last().Invalid}, drift.messages(EventInvalid))
}

func TestSessionAddsPairsOnABandEdge(t *testing.T) {
	t.Parallel()
	// 65 lies within the noise of memory, whatever more pairs say.
	s := &stage{story: story{candidate: always(with(func(f *figures) { f.speedMB, f.memMB = 10, 160 }))}}
	ev, err := s.grade(t.Context(), "standard")
	require.NoError(t, err)
	assert.Equal(t, 2, ev.Last().ExtraPairs, "up to the mode's bound")
	assert.Equal(t, []string{
		"odd reference 0", "odd candidate 0",
		"main candidate 3", "main reference 4", "main candidate 4", "main reference 5",
		"main control 0",
	}, s.runs[12:], "only the scenario that is uncertain runs again, still alternating")
	r, err := Judge(testChallenge(), fakeKinds(), ev)
	require.NoError(t, err)
	assert.True(t, r.Borderline)
	assert.Equal(t, Pass, r.Verdict)
	assert.Len(t, s.messages(EventExtra), 2)
}

func TestSessionStopsAddingPairsWhenTheyDecide(t *testing.T) {
	t.Parallel()
	// One lucky run makes the pass mark look within reach; all later ones agree with those before.
	s := &stage{story: story{candidate: func(_ string, pair int) figures {
		return with(func(f *figures) {
			f.speedMB, f.memMB = 10, []float64{150, 170, 172, 171, 173, 170, 171, 172, 170, 171}[pair]
		})
	}}}
	req := s.request("standard")
	mode := req.Challenge.Modes["standard"]
	mode.MaxExtraPairs = 7
	req.Challenge.Modes["standard"] = mode
	ev, err := Grade(t.Context(), s.deps(), req)
	require.NoError(t, err)
	assert.Positive(t, ev.Last().ExtraPairs)
	assert.Less(t, ev.Last().ExtraPairs, 7)
	r, err := Judge(req.Challenge, fakeKinds(), ev)
	require.NoError(t, err)
	assert.False(t, r.Borderline)
	assert.Equal(t, Fail, r.Verdict)
	assert.Equal(t, ev.Last().ExtraPairs, r.Noise.ExtraPairs)
}

func TestSessionExtraPairsKeepWhatScenariosShowTogether(t *testing.T) {
	t.Parallel()
	// Main grows far beyond small in every pair that has both; the extra pairs run main alone.
	s := &stage{story: story{candidate: inScenario("main", with(func(f *figures) { f.speedMB, f.memMB = 10, 190 }))}}
	req := s.request("standard")
	mode := req.Challenge.Modes["standard"]
	mode.MaxExtraPairs = 5
	req.Challenge.Modes["standard"] = mode
	req.Challenge.PassMark = 58 // within the noise of memory
	ev, err := Grade(t.Context(), s.deps(), req)
	require.NoError(t, err)
	require.Equal(t, 5, ev.Last().ExtraPairs, "the pass mark stays within the interval")
	e, err := evaluate(req.Challenge, fakeKinds(), ev, &ev.Attempts[0])
	require.NoError(t, err)
	assert.InDelta(t, 110*float64(mib), e.candidate.medians["main"]["mem.growth"], 1)
	assert.Contains(t, e.candidate.findings, "MEM_UNBOUNDED")
}

func TestSessionAddsNoPairsToPracticeOrWhatIsClear(t *testing.T) {
	t.Parallel()
	edge := always(with(func(f *figures) { f.speedMB, f.memMB = 10, 160 }))
	for mode, candidate := range map[string]func(string, int) figures{"quick": edge, "standard": nil} {
		s := &stage{story: story{candidate: candidate}}
		ev, err := s.grade(t.Context(), mode)
		require.NoError(t, err)
		assert.Zero(t, ev.Last().ExtraPairs, mode)
	}
}

func TestSessionDoesNotRepeatAHang(t *testing.T) {
	t.Parallel()
	s := &stage{story: story{candidate: inScenario("main", died(evidence.TimedOut, "HANG", "It did not end."))}}
	ev, err := s.grade(t.Context(), "standard")
	require.NoError(t, err)
	hung := 0
	for _, run := range s.runs {
		if strings.HasPrefix(run, "main candidate") {
			hung++
		}
	}
	assert.Equal(t, 1, hung)
	assert.Contains(t, s.runs, "main reference 1", "the reference is still compared with itself")
	assert.Contains(t, s.runs, "small candidate 1", "other scenarios go on")
	r, err := Judge(testChallenge(), fakeKinds(), ev)
	require.NoError(t, err)
	assert.Equal(t, []string{"HANG"}, codesOf(r))
	assert.Contains(t, strings.Join(r.Notes, "\n"), "The large log: the program reached its time limit, so it was not run again.")
}

func TestSessionOfASubmissionThatDoesNotBuild(t *testing.T) {
	t.Parallel()
	s := &stage{buildResult: evidence.Build{Failed: true, Steps: []evidence.BuildStep{
		{Argv: []string{"npm", "ci"}, Exit: evidence.Exit{Status: evidence.Exited, Code: 1}},
	}}}
	req := s.request("standard")
	req.Submission.Build = [][]string{{"npm", "ci"}}
	ev, err := Grade(t.Context(), s.deps(), req)
	require.NoError(t, err)
	assert.Empty(t, s.runs, "nothing is run")
	assert.Empty(t, s.grader.prepared, "no data is made")
	require.Len(t, ev.Last().Runs, 3)
	assert.Equal(t, evidence.NotStarted, ev.Last().Runs[0].Executions[0].Exit.Status)
	r, err := Judge(testChallenge(), fakeKinds(), ev)
	require.NoError(t, err)
	assert.Equal(t, Fail, r.Verdict)
}

func TestSessionFaultsOfOurs(t *testing.T) {
	t.Parallel()
	disk := errors.New("disk is full")
	tests := []struct {
		name  string
		at    string
		err   error
		times int  // how often the step fails
		fails bool // the whole grading
	}{
		{"engine is down at the start", "info", runner.ErrEngineDown, 1, true},
		{"staging fails", "stage reference", disk, 1, true},
		{"staging is tried again", "stage reference", runner.ErrEngineFault, 1, false},
		{"a full disk of the engine stays full", "stage reference", runner.ErrEngineFull, 1, true},
		{"a build without engine is tried again", "build candidate", runner.ErrEngineDown, 1, false},
		{"a build fails three times", "build candidate", runner.ErrEngineDown, 3, true},
		{"a run is tried again", "main candidate 1", runner.ErrDriver, 1, false},
		{"and once more", "main candidate 1", runner.ErrEngineFault, 2, false},
		{"somebody else ended it", "main candidate 1", runner.ErrMeddled, 1, false},
		{"and ends it always", "main candidate 1", runner.ErrMeddled, 3, true},
		{"but only twice", "main candidate 1", runner.ErrDriver, 3, true},
		{"a missing image does not come back", "main reference 0", runner.ErrImageMissing, 1, true},
		{"unknown faults are not tried again", "odd reference 0", disk, 1, true},
		{"calibration fails", "calibrate", disk, 1, true},
		{"page cache", "cache", disk, 1, true},
	}
	for _, tt := range tests {
		inBubble(t, tt.name, func(t *testing.T) {
			failures := 0
			s := &stage{fail: func(step string) error {
				if step != tt.at || failures >= tt.times {
					return nil
				}
				failures++
				return fmt.Errorf("%s: %w", step, tt.err)
			}}
			req := s.request("standard")
			req.Submission.Build = [][]string{{"npm", "ci"}}
			ev, err := Grade(t.Context(), s.deps(), req)
			assert.Zero(t, s.open, "nothing is left behind")
			assert.Zero(t, s.grader.held)
			if tt.fails {
				require.ErrorIs(t, err, tt.err)
				assert.Nil(t, ev)
				return
			}
			require.NoError(t, err)
			assert.Len(t, s.messages(EventRetrying), tt.times)
			assert.Len(t, s.runs, 15)
			assert.Equal(t, s.messages(EventRetrying), ev.Faults)
			r, err := Judge(req.Challenge, fakeKinds(), ev)
			require.NoError(t, err)
			assert.Equal(t, Pass, r.Verdict, "a fault of ours costs nothing")
			assert.Equal(t, tt.times, r.Noise.Faults)
			assert.Contains(t, strings.Join(r.Notes, "\n"), ev.Faults[0], "whoever reads the report is told")
		})
	}
}

// inBubble runs a part of a test whose pauses take no time.
func inBubble(t *testing.T, name string, part func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, part)
	})
}

func TestSessionWaitsForTheEngine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		away  time.Duration
		fails bool
	}{
		"it is being restarted": {engineBackWithin - 2*time.Second, false},
		"it has gone for good":  {time.Hour, true},
	} {
		inBubble(t, name, func(t *testing.T) {
			var gone time.Time
			s := &stage{}
			s.fail = func(step string) error {
				if step == "main candidate 1" && gone.IsZero() {
					gone = time.Now()
					return fmt.Errorf("%s: %w", step, runner.ErrEngineDown)
				}
				if step == "info" && !gone.IsZero() && time.Since(gone) < tt.away {
					return runner.ErrEngineDown
				}
				return nil
			}
			ev, err := s.grade(t.Context(), "standard")
			assert.Zero(t, s.open, "nothing is left behind")
			if tt.fails {
				require.ErrorIs(t, err, runner.ErrEngineDown)
				require.ErrorContains(t, err, "main candidate 1", "the fault itself is told, not that of the question")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []string{"run candidate on scenario main: engine is not reachable"}, ev.Faults)
		})
	}
}

// TestSessionSurvivesASteppedClock sets the clock of the machine back by a day in mid-grading, and forward by two.
func TestSessionSurvivesASteppedClock(t *testing.T) {
	t.Parallel()
	s := &stage{}
	deps := s.deps()
	began := time.Now()
	reads := 0
	deps.Now = func() time.Time {
		reads++
		now := began.Add(time.Duration(reads) * time.Second)
		switch {
		case reads > 6:
			return stepped(now, 24*time.Hour)
		case reads > 3:
			return stepped(now, -24*time.Hour)
		}
		return now
	}
	ev, err := Grade(t.Context(), deps, s.request("quick"))
	require.NoError(t, err)
	assert.Equal(t, time.Duration(reads-1)*time.Second, ev.Finished.Sub(ev.Started))
	last := int64(0)
	for _, run := range ev.Last().Runs {
		assert.Equal(t, int64(time.Second), run.StartedNs-last)
		last = run.StartedNs
	}
	r, err := Judge(testChallenge(), fakeKinds(), ev)
	require.NoError(t, err)
	assert.Equal(t, Pass, r.Verdict)
}

// stepped is a reading of a clock that was set by that much; what time.Now adds to it, the monotonic clock, goes on.
func stepped(t time.Time, by time.Duration) time.Time {
	const secondBit = 30 // of the wall clock's seconds, beside which the monotonic reading lies (time.Time)
	*(*uint64)(unsafe.Pointer(&t)) += uint64(int64(by/time.Second) << secondBit)
	return t
}

func TestSessionReferenceThatDoesNotBuildIsOurFault(t *testing.T) {
	t.Parallel()
	s := &stage{buildResult: evidence.Build{Failed: true, Reason: "no network"}}
	req := s.request("quick")
	req.Reference.Build = [][]string{{"npm", "ci"}}
	_, err := Grade(t.Context(), s.deps(), req)
	require.ErrorContains(t, err, "build our own reference solution")
	assert.Zero(t, s.open)
}

func TestSessionEndsWhenCancelled(t *testing.T) {
	t.Parallel()
	stop := errors.New("somebody pressed the key")
	for _, at := range []string{"stage candidate", "small candidate 0", "main control 0"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			s := &stage{fail: func(step string) error {
				if step == at {
					cancel(stop)
				}
				return nil
			}}
			_, err := s.grade(ctx, "standard")
			require.ErrorIs(t, err, stop)
			assert.Zero(t, s.open, "workspaces are removed also after a cancel")
			assert.Empty(t, s.messages(EventWarning), "with a context that still lives")
		})
	}
}

func TestGradeRefusesBadRequests(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*Deps, *Request){
		"no mode":             func(_ *Deps, r *Request) { r.Mode = "turbo" },
		"no challenge given":  func(_ *Deps, r *Request) { r.Challenge = nil },
		"no directory":        func(_ *Deps, r *Request) { r.Submission.Dir = "" },
		"no start command":    func(_ *Deps, r *Request) { r.Control.Start = nil },
		"seed has 3 bytes":    func(_ *Deps, r *Request) { r.Seed = []byte("abc") },
		"negative control":    func(_ *Deps, r *Request) { r.Challenge.Control.Scenario = "elsewhere" },
		"no engine":           func(d *Deps, _ *Request) { d.Engine = nil },
		"draw seed":           func(d *Deps, _ *Request) { d.Random = strings.NewReader("short") },
		"no workload is call": func(_ *Deps, r *Request) { r.Challenge.Scenarios[1].Workload = "nothing" },
	}
	for want, spoil := range tests {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := &stage{}
			deps, req := s.deps(), s.request("quick")
			spoil(&deps, &req)
			_, err := Grade(t.Context(), deps, req)
			require.ErrorContains(t, err, want)
			assert.Empty(t, s.runs)
			assert.Zero(t, s.open)
		})
	}
}

func TestGradeWithoutListeners(t *testing.T) {
	t.Parallel()
	s := &stage{}
	deps := s.deps()
	deps.Progress, deps.PrepareCache, deps.Random, deps.Now = nil, nil, nil, nil
	ev, err := Grade(t.Context(), deps, s.request("quick"))
	require.NoError(t, err)
	assert.NotEqual(t, strings.Repeat("0", 64), ev.Seed.Value)
}
