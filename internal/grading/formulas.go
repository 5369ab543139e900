package grading

import (
	"fmt"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
)

// formulas are the expressions of a challenge, compiled against the metrics of its graders, and the documentation of
// those metrics.
type formulas struct {
	docs  map[string]map[string]evidence.MetricDoc // scenario id → metric
	when  map[string]*challenges.Expression        // by gate
	value map[string]*challenges.Expression        // by criterion
	score map[string]*challenges.Expression        // by criterion
	codes map[string]map[string]*challenges.Expression
}

// compileFormulas compiles every expression. A challenge that came through the loader compiles; one that did not gets
// an error that names the gate or criterion.
func compileFormulas(ch *challenges.Challenge, kinds map[string]graders.Grader) (*formulas, error) {
	f := &formulas{
		docs:  map[string]map[string]evidence.MetricDoc{},
		when:  map[string]*challenges.Expression{},
		value: map[string]*challenges.Expression{},
		score: map[string]*challenges.Expression{},
		codes: map[string]map[string]*challenges.Expression{},
	}
	plain := challenges.Scope{Scenarios: map[string][]evidence.MetricDoc{}}
	for _, sc := range ch.Scenarios {
		g, ok := kinds[sc.Workload]
		if !ok {
			return nil, fmt.Errorf("find grader of scenario %s: no workload is called %q", sc.ID, sc.Workload)
		}
		plain.Scenarios[sc.ID] = g.Metrics()
		f.docs[sc.ID] = map[string]evidence.MetricDoc{}
		for _, d := range g.Metrics() {
			f.docs[sc.ID][d.Name] = d
		}
	}
	compared := plain
	compared.Compared = true
	for _, g := range ch.Gates {
		when, err := challenges.CompileBool(g.When, plain)
		if err != nil {
			return nil, fmt.Errorf("compile gate %s: %w", g.ID, err)
		}
		f.when[g.ID] = when
	}
	for i := range ch.Criteria {
		if err := f.compileCriterion(&ch.Criteria[i], plain, compared); err != nil {
			return nil, fmt.Errorf("compile criterion %s: %w", ch.Criteria[i].ID, err)
		}
	}
	return f, nil
}

func (f *formulas) compileCriterion(c *challenges.Criterion, plain, compared challenges.Scope) error {
	value, err := challenges.CompileNumber(c.Value, plain)
	if err != nil {
		return fmt.Errorf("value: %w", err)
	}
	score, err := challenges.CompileNumber(c.Score, compared)
	if err != nil {
		return fmt.Errorf("score: %w", err)
	}
	f.value[c.ID], f.score[c.ID] = value, score
	f.codes[c.ID] = map[string]*challenges.Expression{}
	for code, source := range c.Codes {
		when, err := challenges.CompileBool(source, compared)
		if err != nil {
			return fmt.Errorf("code %s: %w", code, err)
		}
		f.codes[c.ID][code] = when
	}
	return nil
}

// Noise floors of catalogue §5.4: the relative spread (one standard deviation of the logarithm) below which two runs
// are not told apart, for metrics whose documentation says less or nothing.
const (
	memoryNoise = 0.04
	timingNoise = 0.12
)

// noise is the relative spread of a criterion's value between two runs: the largest of the metrics it is made of.
func (f *formulas) noise(c *challenges.Criterion) float64 {
	worst := 0.0
	for _, ref := range f.value[c.ID].Metrics() {
		d := f.docs[ref.Scenario][ref.Metric]
		floor := timingNoise
		if d.Unit == "bytes" {
			floor = memoryNoise
		}
		worst = max(worst, d.Noise, floor)
	}
	return worst
}

// scenariosOf lists the scenarios a criterion's value is made of, in the order of the expression's metrics.
func (f *formulas) scenariosOf(c *challenges.Criterion) []string {
	var ids []string
	seen := map[string]bool{}
	for _, ref := range f.value[c.ID].Metrics() {
		if !seen[ref.Scenario] {
			seen[ref.Scenario] = true
			ids = append(ids, ref.Scenario)
		}
	}
	return ids
}
