package grading

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
)

// blockedFigures are those of a submission that lost its event-loop points.
func blockedFigures() figures { return with(func(f *figures) { f.hbMs = 1400 }) }

func someDiagnosis() *evidence.Diagnosis {
	return &evidence.Diagnosis{
		Execution: "main", Samples: 900, StallCount: 1, Allocations: []evidence.Allocation{}, Series: []evidence.Series{},
		Stalls: []evidence.Stall{{
			From: 1, To: 1.412, LatencyNs: 412e6, Cause: evidence.CauseOwnCode, Alike: 1, AlikeNs: 412e6,
			Blame: &evidence.Place{Function: "parseAll", File: "src/main.mjs", Line: 31},
			Stack: []evidence.StackFrame{{Place: evidence.Place{Function: "parseAll", File: "src/main.mjs", Line: 31}, Kind: evidence.FrameOwn, Share: 1}},
		}},
	}
}

// diagnosed grades with the diagnosis asked for; drive plays the diagnostic run.
func diagnosed(t *testing.T, s *stage, drive func() (*evidence.Diagnosis, error)) (*evidence.Grading, *Report) {
	t.Helper()
	deps, req := s.deps(), s.request("quick")
	req.Diagnose = true
	measured := deps.Drive
	deps.Drive = func(ctx context.Context, e runner.Engine, spec runner.RunSpec) (evidence.Run, error) {
		if !spec.Diagnose {
			return measured(ctx, e, spec)
		}
		s.specs = append(s.specs, spec)
		d, err := drive()
		return evidence.Run{Executions: []evidence.Execution{{Name: "main", Diagnosis: d}}}, err
	}
	ev, err := Grade(t.Context(), deps, req)
	require.NoError(t, err)
	r, err := Judge(testChallenge(), fakeKinds(), ev)
	require.NoError(t, err)
	return ev, r
}

func TestDiagnosisOfLostLoopPoints(t *testing.T) {
	t.Parallel()
	s := &stage{story: story{candidate: always(blockedFigures())}}
	ev, r := diagnosed(t, s, func() (*evidence.Diagnosis, error) { return someDiagnosis(), nil })
	require.NotNil(t, ev.Diagnosis)
	assert.Equal(t, "main", ev.Diagnosis.Scenario)
	assert.Equal(t, []string{skillLoop}, ev.Diagnosis.Skills)
	last := s.specs[len(s.specs)-1]
	assert.True(t, last.Diagnose)
	assert.Equal(t, evidence.Candidate, last.Role)
	assert.JSONEq(t, `{"for":"main"}`, string(last.Params))
	prepared := s.grader.prepared[len(s.grader.prepared)-1]
	assert.Equal(t, s.grader.prepared[0].Seed, prepared.Seed, "the same data")
	assert.Zero(t, s.grader.held, "which is given back")
	assert.Equal(t, []string{"diagnosis (not scored)"}, s.messages(EventDiagnosing))
	for _, run := range ev.Last().Runs {
		for _, x := range run.Executions {
			assert.Nil(t, x.Diagnosis, "it is no part of the judged runs")
		}
	}

	require.NotNil(t, r.Diagnosis)
	assert.Equal(t, "For 412 ms nothing else ran: parseAll, src/main.mjs:31.", r.Diagnosis.Stalls[0].Sentence)
	plain := &stage{story: story{candidate: always(blockedFigures())}}
	without, err := plain.grade(t.Context(), "quick")
	require.NoError(t, err)
	assert.Nil(t, without.Diagnosis)
	same, err := Judge(testChallenge(), fakeKinds(), without)
	require.NoError(t, err)
	r.Diagnosis, r.Finished = nil, same.Finished
	assert.Equal(t, same, r, "nothing but the diagnosis differs")
}

func TestDiagnosisIsStoredAndRecomputed(t *testing.T) {
	t.Parallel()
	s := &stage{story: story{candidate: always(blockedFigures())}}
	ev, r := diagnosed(t, s, func() (*evidence.Diagnosis, error) { return someDiagnosis(), nil })
	dir := t.TempDir()
	require.NoError(t, WriteFiles(dir, ev, r))
	again, err := Recompute(filepath.Join(dir, ReportFile), testChallenge(), fakeKinds())
	require.NoError(t, err)
	assert.True(t, again.Same)
	assert.Equal(t, ev.Diagnosis, again.Evidence.Diagnosis)
}

func TestDiagnosisThatFailsIsANote(t *testing.T) {
	t.Parallel()
	for _, fault := range []error{runner.ErrDriver, runner.ErrEngineDown, errors.New("no room")} {
		s := &stage{story: story{candidate: always(blockedFigures())}}
		ev, r := diagnosed(t, s, func() (*evidence.Diagnosis, error) { return nil, fault })
		assert.Contains(t, ev.Diagnosis.Note, fault.Error())
		assert.Contains(t, r.Diagnosis.Note, "could not be made")
		assert.Empty(t, r.Diagnosis.Stalls)
	}
	s := &stage{story: story{candidate: always(blockedFigures())}}
	ev, _ := diagnosed(t, s, func() (*evidence.Diagnosis, error) { return nil, nil })
	assert.Contains(t, ev.Diagnosis.Note, "nothing was recorded")
	_, err := json.Marshal(ev)
	require.NoError(t, err)
}

func TestDiagnosisIsNotMadeWithoutReason(t *testing.T) {
	t.Parallel()
	never := func() (*evidence.Diagnosis, error) { return nil, errors.New("it must not run") }
	for name, s := range map[string]*stage{
		"nothing lost":   {},
		"invalid":        {story: story{candidate: always(blockedFigures()), control: always(goodFigures())}},
		"did not start":  {story: story{candidate: always(died(evidence.NotStarted, evidence.CodeCrash, "It did not start."))}},
		"does not build": {buildResult: evidence.Build{Failed: true, Steps: []evidence.BuildStep{{Argv: []string{"npm", "ci"}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deps, req := s.deps(), s.request("quick")
			req.Diagnose = true
			if strings.Contains(name, "build") {
				req.Submission.Build = [][]string{{"npm", "ci"}}
			}
			measured := deps.Drive
			deps.Drive = func(ctx context.Context, e runner.Engine, spec runner.RunSpec) (evidence.Run, error) {
				if spec.Diagnose {
					_, err := never()
					t.Error(err)
				}
				return measured(ctx, e, spec)
			}
			ev, err := Grade(t.Context(), deps, req)
			require.NoError(t, err)
			assert.Nil(t, ev.Diagnosis)
		})
	}
}

func TestDiagnosisAfterRunningOutOfMemory(t *testing.T) {
	t.Parallel()
	s := &stage{story: story{candidate: inScenario("main", died(evidence.OOMKilled, "OOM_CGROUP", "Ended at 256 MB."))}}
	ev, _ := diagnosed(t, s, func() (*evidence.Diagnosis, error) { return someDiagnosis(), nil })
	require.NotNil(t, ev.Diagnosis, "no criterion is left to lose points, but the code says enough")
	assert.Contains(t, ev.Diagnosis.Skills, skillMemory)
}

func TestDiagnosisEndsWithTheContext(t *testing.T) {
	t.Parallel()
	s := &stage{story: story{candidate: always(blockedFigures())}}
	deps, req := s.deps(), s.request("quick")
	req.Diagnose = true
	measured := deps.Drive
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped")
	deps.Drive = func(ctx context.Context, e runner.Engine, spec runner.RunSpec) (evidence.Run, error) {
		if spec.Diagnose {
			cancel(stop)
			return evidence.Run{}, context.Cause(ctx)
		}
		return measured(ctx, e, spec)
	}
	_, err := Grade(ctx, deps, req)
	require.ErrorIs(t, err, stop)
}

func TestStallSentences(t *testing.T) {
	t.Parallel()
	at := &evidence.Place{Function: "load", File: "src/main.mjs", Line: 7}
	hot := &evidence.Place{Function: "parse", File: "src/parse.mjs", Line: 3}
	for want, s := range map[string]evidence.Stall{
		"For 412 ms nothing else ran: load, src/main.mjs:7.":                               {Cause: evidence.CauseOwnCode, Blame: at},
		"For 412 ms nothing else ran: load, src/main.mjs:7 waited in fs.readFileSync.":     {Cause: evidence.CauseSyncIO, Blame: at, Call: "fs.readFileSync"},
		"For 412 ms nothing else ran: load, src/main.mjs:7 computed in crypto.pbkdf2Sync.": {Cause: evidence.CauseSyncWork, Blame: at, Call: "crypto.pbkdf2Sync"},
		"For 412 ms nothing else ran: the package busy, called from load, src/main.mjs:7.": {Cause: evidence.CausePackage, Blame: at, Package: "busy"},
		"For 412 ms nothing else ran: V8 was freeing memory (garbage collection, 80 %) for what was allocated in load, src/main.mjs:7.": {
			Cause: evidence.CauseGC, Blame: at, GCShare: 0.8},
		"For 412 ms nothing else ran: V8 was freeing memory (garbage collection, 80 %).":                         {Cause: evidence.CauseGC, GCShare: 0.8},
		"For 412 ms nothing else ran: Node itself was at work, with no function of the submission on the stack.": {Cause: evidence.CauseNode},
		"For 412 ms nothing else ran: native code of Node or V8, without a stack.":                               {Cause: evidence.CauseNative},
		"For 412 ms nothing else ran: load, src/main.mjs:7. Most of that time (62 %) went to parse, src/parse.mjs:3. In it, fs.readSync was " +
			"called, which does not give way either. Garbage collection took 20 % of it. 3 waits like it, 1.2 s together.": {
			Cause: evidence.CauseOwnCode, Blame: at, Hot: hot, HotShare: 0.62, Call: "fs.readSync", GCShare: 0.2, Alike: 3, AlikeNs: 1.2e9},
		"For 412 ms nothing else ran: many short callbacks of process.nextTick or of promises followed each other without a turn of the " +
			"loop, most of them in load, src/main.mjs:7.": {Cause: evidence.CauseOwnCode, Blame: at, Slices: true},
		"For 412 ms requests waited in line: the loop turned, but one piece of work followed the other, most of them in load, src/main.mjs:7.": {
			Cause: evidence.CauseOwnCode, Blame: at, Turning: true},
		"For 412 ms a request was not answered, but the loop was free: it waited for something else, such as a file, the network, a timer " +
			"or another process.": {Cause: evidence.CauseWaiting},
		"For 412 ms a request was not answered; what ran then was not recorded.": {Cause: evidence.CauseUnknown},
	} {
		s.LatencyNs = 412e6
		assert.Equal(t, want, stallSentence(s))
	}
	assert.Equal(t, "src/main.mjs:7", PlaceText(evidence.Place{File: "src/main.mjs", Line: 7}))
	assert.Equal(t, "parse", PlaceText(evidence.Place{Function: "parse"}))
	assert.Contains(t, diagnosisHeadline(&evidence.Diagnosis{Samples: 9, IdleShare: 0.96}), "The loop was free 96 % of the time")
	assert.Contains(t, diagnosisHeadline(&evidence.Diagnosis{}), "Nothing was seen")
	assert.Contains(t, memoryHeadline(&evidence.Diagnosis{HeapBytes: mib, BufferBytes: 200 * mib}), "buffers beside it, up to 200 MB")
}
