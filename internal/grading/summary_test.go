package grading

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden is what the golden files hold of a report: its first screen and what decides it.
type golden struct {
	Verdict    Verdict
	Score      float64
	Interval   Interval
	Band       string
	Borderline bool
	Cap        *Cap
	Codes      []string
	Summary    Summary
}

func TestSummaryGolden(t *testing.T) {
	t.Parallel()
	wrong := with(func(f *figures) {
		f.exact = 0.75
		f.findings = []evidence.Finding{{Code: "WRONG_OUTPUT", Detail: "2 of 8 numbers differ.", AtSeconds: -1}}
	})
	tamper := with(func(f *figures) {
		f.findings = []evidence.Finding{{
			Code: "TAMPER", Detail: "The program reported 41 MB of memory; the kernel saw 180 MB.", AtSeconds: -1,
		}}
	})
	reports := map[string]func(t *testing.T) *Report{
		"clean-pass": func(t *testing.T) *Report { return story{}.judge(t) },
		"pass-with-losses": func(t *testing.T) *Report {
			return story{candidate: always(with(func(f *figures) { f.speedMB, f.memMB = 40, 120 }))}.judge(t)
		},
		"oom": func(t *testing.T) *Report {
			return story{candidate: inScenario("main", died(evidence.OOMKilled, "OOM_CGROUP", "It was ended at 256 MB after 1.5 s."))}.judge(t)
		},
		"wrong-output": func(t *testing.T) *Report { return story{candidate: inScenario("main", wrong)}.judge(t) },
		"blocked-loop": func(t *testing.T) *Report {
			return story{candidate: always(with(func(f *figures) { f.hbMs = 1400 }))}.judge(t)
		},
		"fail-without-gate": func(t *testing.T) *Report {
			return story{candidate: always(with(func(f *figures) { f.hbMs, f.memMB, f.speedMB = 300, 250, 60 }))}.judge(t)
		},
		"build-failed": buildFailed,
		"tamper":       func(t *testing.T) *Report { return story{candidate: always(tamper)}.judge(t) },
		"invalid": func(t *testing.T) *Report {
			return story{control: always(goodFigures())}.judge(t)
		},
		"practice": func(t *testing.T) *Report {
			return story{mode: "quick", candidate: always(with(func(f *figures) { f.speedMB = 60 }))}.judge(t)
		},
	}
	for name, make := range reports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := make(t)
			text, err := json.MarshalIndent(golden{
				r.Verdict, r.Score, r.Interval, r.Band, r.Borderline, r.Cap, codesOf(r), r.Summary,
			}, "", "  ")
			require.NoError(t, err)
			path := filepath.Join("testdata", name+".golden.json")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "run the test with -update to write golden files")
			assert.Equal(t, string(want), string(text)+"\n")
		})
	}
}

func TestSummaryReadsWell(t *testing.T) {
	t.Parallel()
	for _, candidate := range []figures{
		goodFigures(), with(func(f *figures) { f.exact = 0 }), with(func(f *figures) { f.hbMs = 9000 }),
		with(func(f *figures) { f.memMB, f.speedMB, f.hbMs = 255, 1, 5000 }),
		died(evidence.TimedOut, "HANG", "It did not end within a minute."),
		died(evidence.Exited, "CRASH", "It ended with exit code 1."),
	} {
		s := story{candidate: always(candidate)}.judge(t).Summary
		for _, text := range append([]string{s.Headline, s.Text}, append(s.Strengths, append(s.Risks, s.Questions...)...)...) {
			require.NotEmpty(t, text)
			assert.NotContains(t, text, "{", "placeholders are filled")
			assert.NotContains(t, text, "  ")
			assert.NotContains(t, text, "\u00a0")
			assert.Contains(t, ".?", text[len(text)-1:], text)
			assert.Equal(t, strings.ToUpper(text[:1]), text[:1], text)
		}
		assert.LessOrEqual(t, len(s.Strengths), 3)
		assert.LessOrEqual(t, len(s.Risks), 3)
	}
}
