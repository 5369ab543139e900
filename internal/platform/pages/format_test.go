package pages

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
)

func TestScoreText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v, mark float64
		want    string
	}{
		{61.2, 65, "61"}, {64.4, 65, "64"}, {64.6, 65, "64.6"}, {64.97, 65, "64.9"}, {65, 65, "65"}, {65.4, 65, "65"},
		{65.3, 65.3, "65.3"}, {0, 65, "0"}, {100, 65, "100"}, {99.97, 100, "99.9"}, {50.5, 0, "51"},
	} {
		assert.Equal(t, tt.want, scoreText(tt.v, tt.mark), "%v at %v", tt.v, tt.mark)
	}
}

func TestIntervalNeverLooksNarrower(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "55–67", intervalText(Figure{61, 55.9, 66.1}))
	assert.Equal(t, "100", intervalText(Figure{100, 100, 100}))
	assert.Equal(t, "0–1", intervalText(Figure{0, 0, .2}))
}

func TestSentence(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", " no files; hand in more ": "No files; hand in more.", "It is done.": "It is done.", "éa": "Éa.", "why?": "Why?", `"a": b`: `"a": b.`,
	} {
		assert.Equal(t, want, sentence(in))
	}
}

func TestDetails(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "bytes 48213, kind final", details(`{"kind":"final","bytes":48213}`))
	assert.Equal(t, "no object", details("no object"))
}

func TestFigureSaysNothingTwice(t *testing.T) {
	t.Parallel()
	assert.Equal(t, figView{Score: "40"}, fig(Figure{40, 40, 40}, 65))
	assert.Equal(t, figView{Score: "64.7", Interval: "58–69"}, fig(Figure{64.7, 58, 69}, 65))
	assert.True(t, eitherSide(Figure{64.7, 58, 69}, 65))
	assert.False(t, eitherSide(Figure{40, 40, 40}, 65))
	assert.False(t, eitherSide(Figure{70, 65, 80}, 65), "all of it passes")
}

func TestSame(t *testing.T) {
	t.Parallel()
	full, less := &Figure{100, 100, 100}, &Figure{99, 98, 100}
	assert.True(t, ComparedRow{Cells: []*Figure{full, {100, 99.99999999999, 100}}}.Same())
	for _, cells := range [][]*Figure{nil, {full}, {full, less}, {full, nil}, {nil, full}} {
		assert.False(t, ComparedRow{Cells: cells}.Same(), "%v", cells)
	}
}

func TestOrderKeepsTheFilter(t *testing.T) {
	t.Parallel()
	a := Assessment{Filter: CandidateFilter{Form{Values: map[string]string{"q": "a b", "min": "", "sort": "name", "other": "x"}}}}
	assert.Equal(t, sortableView{By: "score", Label: "l", Link: "?q=a+b&sort=score#candidates", Direction: "descending"}, sortable(a, "score", "l"))
	assert.Equal(t, sortableView{By: "name", Label: "l", Link: "?q=a+b&sort=name#candidates", Direction: "ascending", Here: true}, sortable(a, "name", "l"))
	assert.True(t, a.Narrowed())
	assert.Empty(t, Assessment{}.Export())
	assert.Equal(t, "?q=a%26b&sort=name&stage=review", Assessment{Filter: CandidateFilter{Form{Values: map[string]string{
		"stage": "review", "q": "a&b", "sort": "name", "min": "", "after": "x",
	}}}}.Export())
	assert.False(t, Assessment{Filter: CandidateFilter{Form{Values: map[string]string{"sort": "name"}}}}.Narrowed())
}

func TestSpan(t *testing.T) {
	t.Parallel()
	p, err := New()
	require.NoError(t, err)
	for d, want := range map[time.Duration]string{
		0: "a moment", 9 * time.Second: "a moment", 44 * time.Second: "40 s", 54 * time.Second: "50 s", 56 * time.Second: "1 min",
		90 * time.Second: "2 min", 59*time.Minute + 20*time.Second: "59 min", 59*time.Minute + 40*time.Second: "1 h",
		161 * time.Minute: "2 h 41 min", 24 * time.Hour: "24 h", 48 * time.Hour: "2 days", 9 * days: "9 days",
	} {
		got, err := p.span(d)
		require.NoError(t, err)
		assert.Equal(t, want, got, "%v", d)
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	got, err := Path("task", "a b/../c", "x?y#z")
	require.NoError(t, err)
	assert.Equal(t, "/my/a%20b%2F..%2Fc/work/x%3Fy%23z", got)
	for _, bad := range [][]string{{"task", "one"}, {"home", "one"}, {"nowhere"}} {
		_, err := Path(bad[0], bad[1:]...)
		assert.Error(t, err, "%v", bad)
	}
	seen := map[string]bool{}
	for _, r := range Routes() {
		assert.False(t, seen[r.Name], r.Name)
		seen[r.Name] = true
	}
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	c, err := newCatalogue("ru", []byte("a: \"{x} и `код {x}`\"\nb: {one: \"{n} день\", few: \"{n} дня\", many: \"{n} дней\", other: \"{n} дня\"}\n"))
	require.NoError(t, err)
	for n, want := range map[int]string{1: "1 день", 3: "3 дня", 5: "5 дней", 21: "21 день", 11: "11 дней"} {
		got, err := c.count("b", n)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	rich, err := c.rich("a", "x", "<i>`z`")
	require.NoError(t, err)
	assert.Equal(t, "&lt;i&gt;`z` и <code>код &lt;i&gt;`z`</code>", string(rich))
	for _, args := range [][]any{{"a"}, {"b", "n", 1}, {"c"}, {"a", "x"}} {
		_, err := c.text(args[0].(string), args[1:]...)
		assert.Error(t, err, "%v", args)
	}
	_, err = newCatalogue("en", []byte("a: 1\na: 2\n"))
	assert.Error(t, err, "a key twice")
}

// TestEveryStateHasWords asks for the text of each value that a model may hold.
func TestEveryStateHasWords(t *testing.T) {
	t.Parallel()
	p, err := New()
	require.NoError(t, err)
	var keys []string
	for _, s := range platform.Stages() {
		keys = append(keys, "state."+string(s))
	}
	for _, s := range platform.JobStates() {
		keys = append(keys, "job."+string(s))
	}
	for _, s := range platform.AttemptStates() {
		keys = append(keys, "result.lead."+string(s))
	}
	for _, s := range platform.EventTypes() {
		keys = append(keys, "event."+string(s))
	}
	for _, s := range platform.Roles() {
		keys = append(keys, "role."+string(s), "role."+string(s)+".may")
	}
	for _, s := range (AssessmentForm{}).Visibilities() {
		keys = append(keys, "visible."+string(s), "visible."+string(s)+".hint", "invitation.sees."+string(s))
	}
	for _, s := range []platform.Verdict{platform.Passed, platform.Below, platform.Withheld, platform.Incomplete} {
		keys = append(keys, "state."+string(s), "result.verdict."+string(s))
	}
	for _, s := range []platform.JobKind{platform.JobFinal, platform.JobRegrade, platform.JobDryRun} {
		keys = append(keys, "kind."+string(s))
	}
	for _, s := range (Candidate{}).Outcomes() {
		keys = append(keys, "state."+string(s), "outcome."+string(s))
	}
	for _, key := range keys {
		_, err := p.texts.text(key, "assessment", "x")
		assert.NoError(t, err)
	}
}
