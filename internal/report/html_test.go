package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/report/reporttest"
)

func page0(t *testing.T, rep *grading.Report, ev *evidence.Grading) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, HTML(&b, rep, ev, Options{}))
	return b.String()
}

func TestPolicyAllowsExactlyOurStyleAndScript(t *testing.T) {
	t.Parallel()
	s := page0(t, reporttest.Blocked(), reporttest.Grading())
	between := func(from, to string) string {
		_, rest, ok := strings.Cut(s, from)
		require.True(t, ok)
		inner, _, ok := strings.Cut(rest, to)
		require.True(t, ok)
		sum := sha256.Sum256([]byte(inner))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(s)
	require.Len(t, policy, 2)
	got := strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(policy[1])
	assert.Equal(t, "default-src 'none'; style-src "+between("<style>", "</style>")+"; script-src "+
		between("</script>\n<script>", "</script>")+"; img-src data:; base-uri 'none'; form-action 'none'", got)
	assert.NotContains(t, s, ` style="`)
	assert.NotRegexp(t, `(?i)(src|href)="?https?:`, s)
}

func TestHTMLIsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	first, second := page0(t, reporttest.Blocked(), reporttest.Grading()), page0(t, reporttest.Blocked(), reporttest.Grading())
	assert.Equal(t, first, second)
}

func TestNoNumberWithoutAVerdict(t *testing.T) {
	t.Parallel()
	for _, rep := range []*grading.Report{reporttest.Withheld(), reporttest.Invalid()} {
		rep.Score, rep.Interval = 77.7, grading.Interval{Low: 71.3, High: 83.9}
		for name, write := range map[string]func(io.Writer, *grading.Report) error{
			"html":     func(w io.Writer, r *grading.Report) error { return HTML(w, r, nil, Options{}) },
			"terminal": func(w io.Writer, r *grading.Report) error { return Terminal(w, r, 80, false) },
			"markdown": Markdown, "csv": CSV,
		} {
			var b bytes.Buffer
			require.NoError(t, write(&b, rep))
			assert.NotContains(t, b.String(), "77.7", "%s of a %s report", name, rep.Verdict)
			assert.NotContains(t, strings.ToLower(b.String()), "together<", "no sum either")
			assert.NotContains(t, b.String(), " together\n")
			assert.NotContains(t, b.String(), "**Together**")
		}
	}
}

func TestHTMLStaysSmall(t *testing.T) {
	t.Parallel()
	ev := reporttest.Grading()
	a := &ev.Attempts[0]
	one := a.Runs
	for scenario := range 12 { // 12 scenarios of 9 pairs, every curve as long as a driver makes them
		for pair := range 9 {
			for _, r := range one[:4] {
				r.Scenario, r.Pair = strings.Repeat("x", scenario+1), pair
				a.Runs = append(a.Runs, r)
			}
		}
	}
	output := evidence.Log{Text: strings.Repeat("a \"line\" of output <&>\n", 1<<15), Bytes: 1 << 30, Dropped: 1 << 29}
	source := strings.Repeat("const a = '<&>' + 1; \"1 1\" // <&>\n\n\n", 1<<11)
	for i := range a.Runs {
		for j := range a.Runs[i].Executions {
			e := &a.Runs[i].Executions[j]
			e.Stdout, e.Stderr = output, output
		}
	}
	for range 300 {
		ev.Submission.Files = append(ev.Submission.Files, evidence.SourceFile{Path: "src/big.mjs", Bytes: 1 << 20, Text: source})
	}
	s := page0(t, reporttest.Blocked(), ev)
	assert.Less(t, len(s), 3<<20)
	assert.Contains(t, s, "more files are in the evidence")
	assert.Contains(t, s, "are not shown")
}

func TestHTMLOfOddEvidence(t *testing.T) {
	t.Parallel()
	tests := map[string]func(ev *evidence.Grading){
		"no attempts":   func(ev *evidence.Grading) { ev.Attempts = nil },
		"no runs":       func(ev *evidence.Grading) { ev.Attempts[0].Runs = nil },
		"no executions": func(ev *evidence.Grading) { clearExecutions(ev) },
		"no references": func(ev *evidence.Grading) {
			for i := range ev.Attempts[0].Runs {
				if r := &ev.Attempts[0].Runs[i]; r.Role == evidence.Reference {
					r.Role = evidence.Control
				}
			}
		},
		"ragged curves": func(ev *evidence.Grading) { eachSeries(ev, func(s *evidence.Series) { s.Max = s.Max[:1] }) },
		"empty curves":  func(ev *evidence.Grading) { eachSeries(ev, func(s *evidence.Series) { s.T = nil }) },
		"nothing built": func(ev *evidence.Grading) { ev.Build = evidence.Build{Skipped: true, Reason: "no package.json"} },
		"failed build":  func(ev *evidence.Grading) { ev.Build.Failed = true },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ev := reporttest.Grading()
			change(ev)
			s := page0(t, reporttest.Blocked(), ev)
			assert.Contains(t, s, "Where the points went")
			assert.Contains(t, s, "</html>")
			assert.NotContains(t, s, "NaN")
		})
	}
}

func clearExecutions(ev *evidence.Grading) {
	for i := range ev.Attempts[0].Runs {
		ev.Attempts[0].Runs[i].Executions = nil
	}
}

func eachSeries(ev *evidence.Grading, change func(*evidence.Series)) {
	for i := range ev.Attempts[0].Runs {
		for j := range ev.Attempts[0].Runs[i].Executions {
			e := &ev.Attempts[0].Runs[i].Executions[j]
			for k := range e.Series {
				change(&e.Series[k])
			}
		}
	}
}

func TestChartData(t *testing.T) {
	t.Parallel()
	sets, data, left := chartSets(reporttest.Blocked(), reporttest.Grading())
	require.Len(t, sets, 6, "main, small, gzip and three of four anomaly files")
	assert.Equal(t, 1, left)
	encoded, err := chartJSON(data)
	require.NoError(t, err)
	assert.True(t, json.Valid([]byte(encoded)))
	first := sets[0].Charts[0]
	assert.Equal(t, "How long a request waited", first.Title)
	assert.Contains(t, first.Caption, "Longest wait 1.4 s")
	require.Len(t, data[first.Index].Runs, 3)
	assert.Equal(t, 1, data[first.Index].Chosen, "the run nearest the median")
	assert.Equal(t, []event{{6.2, "LOOP_BLOCKED"}}, data[first.Index].Runs[1].Events)
	assert.Empty(t, data[first.Index].Runs[0].Events, "a finding names no run, so only the drawn one shows it")
	memory := data[sets[0].Charts[1].Index]
	assert.Equal(t, "limit 256 MB", memory.LimitLabel)
	for _, d := range data {
		for _, r := range d.Runs {
			require.Len(t, r.Curves, len(d.Lines))
			for _, c := range r.Curves {
				if c != nil {
					assert.LessOrEqual(t, len(c.T), maxPoints)
					assert.Len(t, c.Lo, len(c.T))
					assert.Len(t, c.Hi, len(c.T))
				}
			}
		}
	}
}

func TestExecutionsThatEndUnlikeTheReferenceAreDrawnFirst(t *testing.T) {
	t.Parallel()
	first := func(roles ...evidence.Role) string {
		ev := reporttest.Grading()
		for i := range ev.Attempts[0].Runs {
			if r := &ev.Attempts[0].Runs[i]; r.Scenario == "anomalies" && slices.Contains(roles, r.Role) {
				r.Executions[0].Exit = evidence.Exit{Status: evidence.Exited, Code: 2}
			}
		}
		sets, _, _ := chartSets(reporttest.Blocked(), ev)
		require.Len(t, sets, 6)
		return sets[3].Execution
	}
	assert.Equal(t, "oversize-line", first(), "the longest, when all end alike")
	assert.Equal(t, "crlf", first(evidence.Candidate))
	assert.Equal(t, "crlf", first(evidence.Reference))
	assert.Equal(t, "oversize-line", first(evidence.Candidate, evidence.Reference), "both refuse a damaged file")
}

func TestSourceViews(t *testing.T) {
	t.Parallel()
	files, more := sourceViews(shownFiles(reporttest.Grading().Submission))
	assert.Zero(t, more)
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	assert.Equal(t, []string{"src/main.mjs", "src/count.mjs", "package.json", "data/sample.ndjson", "docs/diagram.png"}, paths)
	assert.Contains(t, files[0].Code, `<span class="tk">import</span>`)
	assert.Contains(t, files[3].Note, "size")
	assert.Contains(t, files[4].Note, "Binary")
}

func TestCodeIsShownPlainWhenColouringTakesTooLong(t *testing.T) {
	t.Parallel()
	got, whole := codeHTML("a.mjs", "const a = 1 < 2;\nlet b;", 1000, time.Now().Add(-time.Second))
	assert.True(t, whole)
	assert.Equal(t, "<span class=\"l\">const a = 1 &lt; 2;\n</span><span class=\"l\">let b;\n</span>", string(got))
}

func TestCodeIsCutWhenItsMarkupIsLong(t *testing.T) {
	t.Parallel()
	got, whole := codeHTML("a.mjs", strings.Repeat("1 1 1 1\n", 5000), 20_000, time.Now().Add(time.Minute))
	assert.False(t, whole)
	assert.Less(t, len(got), 21_000)
	assert.True(t, strings.HasSuffix(string(got), "\n</span>"))
}

func FuzzCodeHTML(f *testing.F) {
	for _, s := range reporttest.Attacks() {
		f.Add("a.mjs", s)
		f.Add("b.json", s)
		f.Add("c.unknown", s)
	}
	tag := regexp.MustCompile(`<(/?)span(?: class="(?:l|tc|tk|ts|tn)")?>`)
	f.Fuzz(func(t *testing.T, name, text string) {
		code, _ := codeHTML(name, Visible(text), 1<<20, time.Now().Add(time.Second))
		got := string(code)
		if rest := tag.ReplaceAllString(got, ""); strings.ContainsAny(rest, `<>"`) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

func TestSeedIsChecked(t *testing.T) {
	t.Parallel()
	s := reporttest.Blocked().Seed
	assert.Contains(t, seedText(s), "together they give the commitment")
	s.Value = "00" + s.Value[2:]
	assert.Contains(t, seedText(s), "do not trust this report")
	s.Value = "not hex"
	assert.Contains(t, seedText(s), "do not trust this report")
	assert.Empty(t, seedText(evidence.Seed{}))
}

type fullDisk struct{}

var errFull = errors.New("disk full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestWritersReportWriteErrors(t *testing.T) {
	t.Parallel()
	rep := reporttest.Blocked()
	assert.ErrorIs(t, HTML(fullDisk{}, rep, nil, Options{}), errFull)
	assert.ErrorIs(t, Terminal(fullDisk{}, rep, 80, true), errFull)
	assert.ErrorIs(t, Markdown(fullDisk{}, rep), errFull)
	assert.ErrorIs(t, CSV(fullDisk{}, rep), errFull)
	assert.ErrorIs(t, JSON(fullDisk{}, rep), errFull)
}
