package grading

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/evidence"
)

func TestJudgeScores(t *testing.T) {
	t.Parallel()
	oom := died(evidence.OOMKilled, "OOM_CGROUP", "It was ended at 256 MB.")
	tests := []struct {
		name      string
		candidate func(string, int) figures
		verdict   Verdict
		score     float64
		uncapped  float64
		gate      string // that caps
		codes     []string
		skipped   []string // criteria that are not assessed
	}{
		{
			name: "as good as the reference", candidate: always(goodFigures()),
			verdict: Pass, score: 100, uncapped: 100, codes: []string{},
		},
		{
			name: "half the speed costs a part of 20", candidate: always(with(func(f *figures) { f.speedMB = 50 })),
			// rate 2 lies log-linearly between 1.25 and 4.
			verdict: Pass, score: 80 + 20*(1-math.Log(2/1.25)/math.Log(4/1.25)), codes: []string{},
		},
		{
			name: "memory below the floor is not told apart", candidate: always(with(func(f *figures) { f.memMB = 30 })),
			verdict: Pass, score: 100, codes: []string{},
		},
		{
			name: "wrong numbers cap at 40, and speed is not judged", candidate: always(with(func(f *figures) { f.exact = 0.5 })),
			verdict: Fail, score: 40, uncapped: 100 * (40*0.5 + 30 + 10) / 80, gate: "exact",
			codes: []string{}, skipped: []string{"speed"},
		},
		{
			name: "out of memory leaves next to nothing", candidate: inScenario("main", oom),
			verdict: Fail, score: 0, uncapped: 0, gate: "survives",
			codes: []string{"OOM_CGROUP"}, skipped: []string{"memory", "speed", "responsive"},
		},
		{
			name: "overselling caps at 25", candidate: always(with(func(f *figures) { f.sold = 101 })),
			verdict: Fail, score: 25, uncapped: 100, gate: "stock", codes: []string{"OVERSELL"},
		},
		{
			name: "the lowest cap counts", candidate: always(with(func(f *figures) { f.sold, f.exact = 101, 0.9 })),
			verdict: Fail, score: 25, uncapped: 100 * (40*0.9 + 30 + 10) / 80, gate: "stock",
			codes: []string{"OVERSELL"}, skipped: []string{"speed"},
		},
		{
			name: "a blocked loop has its code from the criterion", candidate: always(with(func(f *figures) { f.hbMs = 900 })),
			verdict: Pass, score: 90, codes: []string{"LOOP_BLOCKED"},
		},
		{
			name: "growth is found between scenarios", candidate: inScenario("main", with(func(f *figures) { f.memMB = 200 })),
			verdict: Pass, score: 70 + 30*(1-math.Log(2.5/1.3)/math.Log(3/1.3)), codes: []string{"MEM_UNBOUNDED"},
		},
		{
			name: "tampering withholds the verdict and keeps the score",
			candidate: always(with(func(f *figures) {
				f.findings = []evidence.Finding{{Code: "TAMPER", Detail: "It reported 40 MB; the kernel saw 200 MB."}}
			})),
			verdict: Withheld, score: 100, codes: []string{"TAMPER"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := story{candidate: tt.candidate}.judge(t)
			assert.Equal(t, tt.verdict, r.Verdict)
			assert.InDelta(t, tt.score, r.Score, 0.06)
			assert.Equal(t, tt.codes, codesOf(r))
			if tt.gate == "" {
				assert.Nil(t, r.Cap)
			} else {
				require.NotNil(t, r.Cap)
				assert.Equal(t, tt.gate, r.Cap.Gate)
				assert.InDelta(t, tt.uncapped, r.Cap.Uncapped, 0.06)
			}
			var skipped []string
			var points, weight float64
			for _, c := range r.Criteria {
				if !c.Assessed {
					skipped = append(skipped, c.ID)
					assert.NotEmpty(t, c.Why)
					assert.Zero(t, c.Weight)
				}
				points, weight = points+c.Points, weight+c.Weight
			}
			assert.Equal(t, tt.skipped, skipped)
			assert.InDelta(t, 1, weight, 1e-4, "weights are shared out")
			if r.Cap == nil {
				assert.InDelta(t, r.Score, points, 0.06, "points add up to the score")
			}
			assert.LessOrEqual(t, r.Interval.Low, r.Score)
			assert.GreaterOrEqual(t, r.Interval.High, r.Score)
		})
	}
}

func TestJudgeCountsFindingsByHalfOfTheRuns(t *testing.T) {
	t.Parallel()
	finding := []evidence.Finding{{Code: "UTF8_SPLIT", Detail: "seen"}}
	for seen, want := range [][]string{{}, {}, {"UTF8_SPLIT"}, {"UTF8_SPLIT"}} {
		r := story{candidate: func(scenario string, pair int) figures {
			return with(func(f *figures) {
				if scenario == "main" && pair < seen {
					f.findings = finding
				}
			})
		}}.judge(t)
		assert.Equal(t, want, codesOf(r), "seen in %d of 3 runs", seen)
	}
}

func TestJudgeTakesMedians(t *testing.T) {
	t.Parallel()
	slowOnce := func(_ string, pair int) figures {
		return with(func(f *figures) {
			if pair == 1 {
				f.speedMB = 1
			}
		})
	}
	r := story{candidate: slowOnce}.judge(t)
	assert.InDelta(t, 100*float64(mib), *criterion(t, r, "speed").Value, 0)
	assert.InDelta(t, 100, r.Score, 0.01)
}

func TestJudgeMetricOfAMinorityOfRunsIsNotMeasured(t *testing.T) {
	t.Parallel()
	r := story{candidate: func(scenario string, pair int) figures {
		if scenario == "main" && pair > 0 {
			return died(evidence.Signaled, "CRASH", "It crashed.")
		}
		return goodFigures()
	}}.judge(t)
	c := criterion(t, r, "responsive")
	assert.True(t, c.Assessed)
	assert.Nil(t, c.Value, "one survivor of three does not speak for the program")
	assert.Zero(t, c.Score)
	assert.NotEmpty(t, c.Recruiter)
}

func TestJudgeInvalid(t *testing.T) {
	t.Parallel()
	slower := func(scenario string, pair int) figures {
		return with(func(f *figures) {
			if scenario == "main" && pair >= 2 {
				f.speedMB = 70
			}
		})
	}
	half := always(with(func(f *figures) { f.speedMB = 50 }))
	noisyHeartbeat := func(_ string, pair int) figures {
		return with(func(f *figures) { f.hbMs = []float64{3, 9, 3, 9}[pair] })
	}
	tests := []struct {
		name   string
		story  story
		edit   func(*evidence.Attempt)
		reason string
	}{
		{
			name: "reference differs from itself where it decides", story: story{reference: slower, candidate: half},
			reason: "differed from itself by a factor of 1.43",
		},
		{name: "a difference that decides nothing is none", story: story{reference: slower}},
		{name: "a difference below the floor is none", story: story{reference: noisyHeartbeat}},
		{
			name: "reference loses a gate", story: story{reference: always(with(func(f *figures) { f.exact = 0 }))},
			reason: "failed the gate \"Every number is right\"",
		},
		{
			name: "reference dies", story: story{reference: always(died(evidence.OOMKilled, "OOM_CGROUP", "dead"))},
			reason: "failed the gate",
		},
		{name: "reference gives no figure", story: story{reference: always(with(func(f *figures) { f.speedMB = -1 }))},
			reason: "gave no figure for \"Throughput\""},
		{name: "control passes", story: story{control: always(goodFigures())}, reason: "expected OOM_HEAP or LOOP_BLOCKED, got none"},
		{
			name:   "control fails with another code",
			story:  story{control: always(with(func(f *figures) { f.findings = []evidence.Finding{{Code: "SLOW"}} }))},
			reason: "got SLOW",
		},
		{name: "control is caught by a criterion", story: story{control: always(with(func(f *figures) { f.hbMs = 900 }))}},
		{
			name: "core changes its speed", edit: func(a *evidence.Attempt) { a.CalibrationNs = []int64{1000, 1120, 1000} },
			reason: "changed by 12 %",
		},
		{name: "no calibration", edit: func(a *evidence.Attempt) { a.CalibrationNs = nil }},
		{name: "calibration took no time", edit: func(a *evidence.Attempt) { a.CalibrationNs = []int64{0, 5} }, reason: "changed by"},
		{name: "the session said so", edit: func(a *evidence.Attempt) { a.Invalid = "Lightning struck." }, reason: "Lightning struck."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ev := tt.story.grading()
			if tt.edit != nil {
				tt.edit(&ev.Attempts[0])
			}
			r, err := Judge(testChallenge(), fakeKinds(), ev)
			require.NoError(t, err)
			if tt.reason == "" {
				assert.Equal(t, Pass, r.Verdict)
				assert.Empty(t, r.Invalid)
				return
			}
			assert.Equal(t, Invalid, r.Verdict)
			assert.Contains(t, r.Invalid, tt.reason)
			assert.Contains(t, codesOf(r), "INVALID_RUN")
			assert.Contains(t, r.Summary.Text, r.Invalid)
		})
	}
}

func TestJudgeRefusesWhatDoesNotBelongTogether(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(*challenges.Challenge, *evidence.Grading)
		want string
	}{
		{"schema", func(_ *challenges.Challenge, ev *evidence.Grading) { ev.Schema = "assay.evidence/99" }, "schema"},
		{"challenge", func(_ *challenges.Challenge, ev *evidence.Grading) { ev.Challenge.ID = "other" }, "of challenge \"other\""},
		{"mode", func(_ *challenges.Challenge, ev *evidence.Grading) { ev.Mode = "turbo" }, "no mode \"turbo\""},
		{"scenario", func(_ *challenges.Challenge, ev *evidence.Grading) { ev.Attempts[0].Runs[0].Scenario = "x" }, "not part of"},
		{"role", func(_ *challenges.Challenge, ev *evidence.Grading) { ev.Attempts[0].Runs[0].Role = "guest" }, "unknown role"},
		{"truth", func(_ *challenges.Challenge, ev *evidence.Grading) {
			ev.Attempts[0].Truth["main"] = json.RawMessage(`{}`)
		}, "measure reference run of scenario main"},
		{"workload", func(ch *challenges.Challenge, _ *evidence.Grading) { ch.Scenarios[0].Workload = "x" }, "no workload"},
		{"expression", func(ch *challenges.Challenge, _ *evidence.Grading) { ch.Gates[0].When = "main.nope < 1" }, "compile gate exact"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ch, ev := testChallenge(), story{}.grading()
			tt.edit(ch, ev)
			_, err := Judge(ch, fakeKinds(), ev)
			require.Error(t, err)
			assert.Contains(t, err.Error(), tt.want)
		})
	}
}

func TestJudgeNothingMeasured(t *testing.T) {
	t.Parallel()
	ev := story{}.grading()
	for i := range ev.Attempts[0].Runs {
		if run := &ev.Attempts[0].Runs[i]; run.Role == evidence.Candidate {
			run.Executions = nil
		}
	}
	r, err := Judge(testChallenge(), fakeKinds(), ev)
	require.NoError(t, err)
	assert.Equal(t, Fail, r.Verdict)
	assert.Zero(t, r.Score)
	assert.Equal(t, "exact", r.Cap.Gate, "a gate without its figure has failed")
}

func TestJudgeGatesThatNeedAnother(t *testing.T) {
	t.Parallel()
	r := story{candidate: inScenario("main", died(evidence.OOMKilled, "OOM_HEAP", "dead"))}.judge(t)
	gate := r.Gates[2]
	assert.Equal(t, "answers", gate.ID)
	assert.False(t, gate.Judged)
	assert.False(t, gate.Passed)
	assert.Contains(t, gate.Sentence, "ran out of memory")
}

func TestJudgeFailedBuild(t *testing.T) {
	t.Parallel()
	r := buildFailed(t)
	assert.Equal(t, Fail, r.Verdict)
	assert.Zero(t, r.Score)
	assert.Equal(t, []string{"CRASH"}, codesOf(r))
	assert.Contains(t, r.Codes[0].Findings[0].Detail, `"npm ci" ended with exit code 1`)
	for _, c := range r.Criteria {
		assert.Nil(t, c.Value)
	}
	for _, run := range r.Runs {
		assert.Equal(t, "not-started", run.Status)
	}
}

// buildFailed is the report on a submission that does not build.
func buildFailed(t *testing.T) *Report {
	t.Helper()
	ev := story{}.grading()
	ev.Build = evidence.Build{Failed: true, Steps: []evidence.BuildStep{
		{Argv: []string{"npm", "ci"}, Exit: evidence.Exit{Status: evidence.Exited, Code: 1}},
	}}
	s := &session{req: Request{Challenge: testChallenge(), Mode: "standard"}, ev: ev}
	ev.Attempts = []evidence.Attempt{s.notStarted()}
	r, err := Judge(testChallenge(), fakeKinds(), ev)
	require.NoError(t, err)
	return r
}

func TestJudgeNotes(t *testing.T) {
	t.Parallel()
	ev := story{mode: "quick"}.grading()
	ev.Environment.Sandboxed = false
	ev.Submission.Notes = []string{"the entry was taken from package.json"}
	r, err := Judge(testChallenge(), fakeKinds(), ev)
	require.NoError(t, err)
	assert.False(t, r.Official)
	require.Len(t, r.Notes, 4)
	assert.Contains(t, r.Notes[0], "practice")
	assert.Contains(t, r.Notes[1], "Not sandboxed")
	assert.Equal(t, "Constant memory is not proven.", r.Notes[2])
	assert.Equal(t, "Submission: the entry was taken from package.json", r.Notes[3])
}

func TestJudgeNotesAnotherRuntime(t *testing.T) {
	t.Parallel()
	for runtime, noted := range map[string]bool{"": false, "runc": false, "io.containerd.runc.v2": false, "runsc": true, "kata": true} {
		ev := story{}.grading()
		ev.Environment.Runtime = runtime
		r, err := Judge(testChallenge(), fakeKinds(), ev)
		require.NoError(t, err)
		found := slices.ContainsFunc(r.Notes, func(n string) bool {
			return strings.Contains(n, strconv.Quote(runtime)) && strings.Contains(n, "only with scores under the same runtime")
		})
		assert.Equal(t, noted, found, "%q: %q", runtime, r.Notes)
	}
}

func TestJudgeRunsAndCases(t *testing.T) {
	t.Parallel()
	r := story{}.judge(t)
	require.Len(t, r.Runs, 7+5+2+1)
	assert.Equal(t, "exit 0", r.Runs[0].Status)
	assert.Equal(t, int64(1e9), r.Runs[0].WallNs)
	assert.Contains(t, r.Runs[0].Values, "mem.growth", "what several scenarios show is added")
	require.Len(t, r.Cases, 1)
	assert.Equal(t, "odd", r.Cases[0].Scenario)
	assert.InDelta(t, 0.002, r.Noise.RunDelayShare, 1e-9)
	assert.True(t, r.Noise.ControlFailed)
	assert.Equal(t, []string{"OOM_HEAP"}, r.Noise.ControlCodes)
}
