package catalogue

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/evidence"
)

// example is a challenge with two scenarios, one of them measured and run by the control.
func example() *challenges.Challenge {
	return &challenges.Challenge{
		ID: "example", Version: 3, Title: "An | example", Summary: strings.Repeat("word ", 40), Level: "mid", Minutes: 30,
		Skills: []string{"event-loop", "testing"}, Node: "24", PassMark: 60, Limits: challenges.Limits{MemoryBytes: 256 << 20, Pids: 64},
		Control: challenges.Control{Solution: "solutions/flawed/secret-fault", Scenario: "main"},
		Modes:   map[string]challenges.Mode{"standard": {Name: "standard", Title: "Official run", Official: true, Notes: []string{"A note."}}, "quick": {Name: "quick", Title: "Practice"}},
		Scenarios: []challenges.Scenario{
			{ID: "main", Title: "The main one", Workload: "w", Measured: true, Modes: map[string]challenges.ScenarioMode{
				"quick": {Pairs: 1, Timeout: time.Minute}, "standard": {Pairs: 3, Timeout: 2 * time.Minute},
			}},
			{ID: "odd", Title: "The odd one", Workload: "w", Modes: map[string]challenges.ScenarioMode{"standard": {Timeout: time.Minute}}},
		},
		Gates:    []challenges.Gate{{ID: "g", Title: "It is safe", Kind: "safety", Lost: "It is not."}},
		Criteria: []challenges.Criterion{{ID: "a", Title: "It is quick", Detail: "How long it takes", Skill: "event-loop", Points: 62.5, Relative: true}, {ID: "b", Title: "It is right", Skill: "testing", Points: 37.5}},
		Fixtures: []challenges.Fixture{{Name: "flawed/secret-fault", Kind: "flawed", About: "The secret."}},
		Files:    fstest.MapFS{"brief.md": &fstest.MapFile{Data: []byte("# Title\n\nText.\n\n```sh\n# a comment\n```\n\n## Part\n")}},
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	p, err := Of(example())
	require.NoError(t, err)
	require.Len(t, p.Modes, 2)
	assert.Equal(t, "quick", p.Modes[0].Name)
	// Candidate and reference in turn, the reference once more, and the control.
	assert.Equal(t, 4, p.Modes[0].Runs)
	assert.InDelta(t, 4*60, p.Modes[0].MostSeconds, 0)
	assert.Equal(t, 8+2, p.Modes[1].Runs)
	assert.InDelta(t, 8*120+2*60, p.Modes[1].MostSeconds, 0)
	assert.Equal(t, "quick (1 pair), standard (3 pairs)", p.Scenarios[0].when())
	assert.Equal(t, "standard", p.Scenarios[1].when())
	assert.Equal(t, 25, p.Gates[0].Cap)
	assert.Equal(t, "It is right", p.Criteria[1].Measures, "the title where there is no detail")

	bad := example()
	bad.Files = fstest.MapFS{}
	_, err = Of(bad)
	require.ErrorContains(t, err, "read brief of example")
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	p, err := Of(example())
	require.NoError(t, err)
	text := Markdown(p)
	for _, want := range []string{
		"# An | example\n", "| 62.5 | It is quick | event-loop | How long it takes; compared with our reference on the same machine |",
		"| It is safe | 25 | It is not. |", "`standard`: A note.", "| `quick` | Practice | practice, 4 runs, 4 min at most |",
		"256 MiB of memory, 64 processes and threads.", "### Title\n", "#### Part\n", "```sh\n# a comment\n```",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "secret")
	p.Criteria[0].Measures = "How long it takes, compared with our reference"
	assert.Contains(t, Markdown(p), "| How long it takes, compared with our reference |", "it is said once")
	assert.Contains(t, text, "Runs are those of the submission, of our own solution")
	index := Index([]Page{p})
	assert.Contains(t, index, `| [An \| example](example.md) | mid | 30 | event-loop, testing |`)
}

func TestText(t *testing.T) {
	t.Parallel()
	p, err := Of(example())
	require.NoError(t, err)
	for _, width := range []int{0, 60, 500} {
		var b strings.Builder
		require.NoError(t, Text(&b, p, width, true))
		for line := range strings.Lines(b.String()) {
			assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), min(max(width, minWidth), maxWidth), line)
		}
		assert.Contains(t, b.String(), "62.5  It is quick (event-loop)")
		assert.Contains(t, b.String(), "  # a comment\n")
		assert.NotContains(t, b.String(), "secret")
	}
	var short strings.Builder
	require.NoError(t, Text(&short, p, 80, false))
	assert.NotContains(t, short.String(), "a comment")
}

func TestWorkloads(t *testing.T) {
	t.Parallel()
	text, err := Workloads([]WorkloadDoc{
		{Name: "made", Settings: []byte(`{
			"required": ["list"],
			"properties": {
				"list": {"description": "a list", "items": {"$ref": "#/$defs/node"}},
				"by": {"description": "by name", "patternProperties": {"^a$": {"properties": {"x": {"description": "an x"}}}}}
			},
			"$defs": {"node": {"description": "a node", "properties": {"children": {"description": "a | b", "items": {"$ref": "#/$defs/node"}}}}}
		}`), Metrics: []evidence.MetricDoc{{Name: "m", Unit: "ns", Better: "lower", Doc: "a metric"}}},
		{Name: "own", Metrics: []evidence.MetricDoc{{Name: "n", Unit: "bytes", Better: "higher", Doc: "another"}}},
	})
	require.NoError(t, err)
	for _, want := range []string{
		"- [`made`](#made)", "[`own`](#own)", "| `list` | a list (required) |", "| `list[].children` | a \\| b |", "| `by.NAME.x` | an x |",
		"| `m` | ns | lower | a metric |", "| `n` | bytes | higher | another |",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "children[].children", "what refers to itself is described once")
	_, err = Workloads([]WorkloadDoc{{Name: "bad", Settings: []byte(`{`)}})
	require.Error(t, err)
}

// TestCodes names every code and every skill, on the page and on the terminal.
func TestCodes(t *testing.T) {
	t.Parallel()
	skills := challenges.Skills()
	assert.Contains(t, skills, "api-design")
	page := Codes(evidence.Codes(), skills)
	var screen strings.Builder
	require.NoError(t, CodesText(&screen, evidence.Codes(), skills, 80))
	for _, c := range evidence.Codes() {
		assert.Contains(t, page, "| `"+c.Code+"` | "+cell(c.Engineer)+" |")
		assert.Contains(t, screen.String(), "  "+c.Code+"\n")
	}
	for _, s := range skills {
		assert.Contains(t, page, "`"+s+"`")
		assert.Contains(t, screen.String(), s)
	}
}
