package main

import (
	"context"
	"fmt"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/grading"
)

func (a *app) validateCommand() *cobra.Command {
	var opts validateOptions
	c := &cobra.Command{
		Use:   "validate [ID]",
		Short: "Check a challenge: grade its bundled solutions and compare with what each must get",
		Long: `Grade every bundled solution of a challenge (all challenges when no ID is given) and compare reason codes,
verdict and score with what challenge.yaml says. A gaming solution must gain at most 5 points over its
honest twin, or be withheld as tampered, and no flawed one may get more than the reference.

With --runs, solutions are graded again on fresh data, and verdicts or codes that change are counted.
That takes hours: the file of --json is written after each grading, and with --continue the gradings in it
are taken as they are, and only those that are missing are made.

Exit code 0 when every solution got what it must, 1 otherwise.`,
		Example: `  assay validate
  assay validate log-aggregate --mode quick
  assay validate log-aggregate --only 'flawed/*' --runs 3 --json result.json
  assay validate log-aggregate --runs 10 --json result.json --continue     go on where the last one was stopped
  assay validate log-aggregate --runs 10 --neighbour     the same beside a load on the other cores`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.validate(cmd.Context(), args, opts)
		},
	}
	c.Flags().StringVar(&opts.mode, "mode", "quick", "quick, standard or full")
	c.Flags().IntVar(&opts.runs, "runs", 1, "how often each solution is graded")
	c.Flags().StringVar(&opts.only, "only", everyFixture, "comma-separated patterns of solutions, e.g. 'flawed/*'")
	c.Flags().StringVar(&opts.out, "out", "", "keep every report in this folder")
	c.Flags().BoolVar(&opts.neighbour, "neighbour", false, "keep the cores beside the submission's busy meanwhile: nothing may change")
	c.Flags().StringVar(&opts.json, "json", "", "write a machine-readable result to this file")
	c.Flags().BoolVar(&opts.goOn, "continue", false, "make only the gradings that the file of --json has not yet")
	return c
}

type validateOptions struct {
	mode, only, out, json string
	runs                  int
	neighbour             bool
	goOn                  bool
}

// everyFixture are the patterns that fit every name of a bundled solution.
const everyFixture = "*/*,*"

// maxInvalid is how many invalid gradings of one solution are set aside: they say that the machine was busy, and nothing
// of the grader. More than that, and the solution is not ok.
const maxInvalid = 2

// fixtureResult is one grading of one bundled solution.
type fixtureResult struct {
	Challenge string   `json:"challenge"`
	Digest    string   `json:"digest"` // of the challenge
	Node      string   `json:"node"`   // major version
	Fixture   string   `json:"fixture"`
	Kind      string   `json:"kind"`
	Mode      string   `json:"mode"`
	Run       int      `json:"run"`
	OK        bool     `json:"ok"`
	Problems  []string `json:"problems,omitempty"`
	Codes     []string `json:"codes"`
	Score     float64  `json:"score"`
	Verdict   string   `json:"verdict"`
	Invalid   string   `json:"invalid,omitempty"`
	Again     int      `json:"again,omitempty"` // invalid gradings before this one
	Seconds   float64  `json:"seconds"`
}

func (a *app) validate(ctx context.Context, args []string, opts validateOptions) error {
	if opts.runs < 1 {
		return usagef("Use --runs 1 or more.", "cannot grade %d times", opts.runs)
	}
	chosen, err := a.challenges()
	if err != nil {
		return err
	}
	if len(args) == 1 {
		ch, err := a.challenge(args[0])
		if err != nil {
			return err
		}
		chosen = []*challenges.Challenge{ch}
	}
	file, err := openValidation(opts)
	if err != nil {
		return err
	}
	var all []fixtureResult
	for _, ch := range chosen {
		results, err := a.validateChallenge(ctx, ch, opts, file)
		all = append(all, results...)
		if err != nil {
			a.showValidation(all, opts)
			return err
		}
	}
	if len(all) == 0 {
		return usagef("See the fixtures in challenge.yaml.", "no bundled solution matches %q", opts.only)
	}
	a.showValidation(all, opts)
	failed := 0
	for _, r := range all {
		if !r.OK {
			failed++
		}
	}
	fmt.Fprintf(a.out, "%d passed, %d failed\n", len(all)-failed, failed)
	if failed > 0 {
		return errDone
	}
	return nil
}

// validating is the gradings of one challenge.
type validating struct {
	app     *app
	ch      *challenges.Challenge
	opts    validateOptions
	file    *validationFile
	bench   *workbench // open once something is to be graded
	stop    func()     // ends the neighbour
	scores  map[string]float64
	results []fixtureResult
}

func (a *app) validateChallenge(ctx context.Context, ch *challenges.Challenge, opts validateOptions, file *validationFile) (_ []fixtureResult, err error) {
	if _, ok := ch.Modes[opts.mode]; !ok {
		return nil, unknownMode(ch, opts.mode)
	}
	v := &validating{app: a, ch: ch, opts: opts, file: file, stop: func() {}, scores: map[string]float64{}}
	defer func() {
		v.stop()
		if v.bench != nil {
			err = v.bench.closeAfter(err)
		}
	}()
	for run := range opts.runs {
		for _, f := range ch.Fixtures {
			if !matchesAny(opts.only, f.Name) {
				continue
			}
			if err := v.one(ctx, f, run+1); err != nil {
				return v.results, fmt.Errorf("grade %s: %w", f.Name, err)
			}
		}
	}
	return v.results, nil
}

// one grades a solution, unless that was done before, and compares the result with what it must be.
func (v *validating) one(ctx context.Context, f challenges.Fixture, run int) error {
	r, before := v.file.find(v.ch, v.app.nodeOf(v.ch), v.opts.mode, f.Name, run)
	if !before {
		if err := v.open(ctx); err != nil {
			return err
		}
		var err error
		if r, err = v.bench.gradeFixture(ctx, f, run, v.opts); err != nil {
			return err
		}
	}
	r.Problems = unexpected(r, f.Expected(v.opts.mode))
	if f.Twin != "" {
		r.checkTwin(f, v.scores)
	}
	r.checkOrder(v.scores)
	r.checkParity(v.scores)
	v.scores[f.Name] = r.Score
	r.OK = len(r.Problems) == 0
	v.results = append(v.results, r)
	if before {
		return nil
	}
	v.app.sayFixture(r)
	return v.file.add(r)
}

// open opens the bench, and starts the neighbour.
func (v *validating) open(ctx context.Context) (err error) {
	if v.bench != nil {
		return nil
	}
	if v.bench, err = v.app.openWorkbench(ctx, v.ch); err != nil || !v.opts.neighbour {
		return err
	}
	stop, err := v.app.startNeighbour(ctx, v.bench.Slot())
	if err == nil {
		v.stop = stop
	}
	return err
}

func (b *workbench) gradeFixture(ctx context.Context, f challenges.Fixture, run int, opts validateOptions) (fixtureResult, error) {
	started := time.Now()
	dir, err := b.Solution(path.Join("solutions", f.Name))
	if err != nil {
		return fixtureResult{}, err
	}
	keep := ""
	if opts.out != "" {
		keep = filepath.Join(opts.out, b.challenge.ID, filepath.FromSlash(f.Name), fmt.Sprint(run))
	}
	var rep *grading.Report
	again := 0
	for ; ; again++ {
		if rep, err = b.grade(ctx, gradeRequest{path: dir, mode: opts.mode, out: keep}); err != nil {
			return fixtureResult{}, err
		}
		if rep.Verdict != grading.Invalid || again == maxInvalid {
			break
		}
		b.display.Say("  %s: invalid, once more: %s", f.Name, rep.Invalid)
	}
	return fixtureResult{
		Challenge: b.challenge.ID, Digest: b.challenge.Digest, Node: b.app.nodeOf(b.challenge),
		Fixture: f.Name, Kind: f.Kind, Mode: opts.mode, Run: run,
		Codes: codesOf(rep), Score: rep.Score, Verdict: string(rep.Verdict), Invalid: rep.Invalid,
		Again: again, Seconds: time.Since(started).Seconds(),
	}, nil
}

// unexpected compares a result with what it must be.
func unexpected(r fixtureResult, want challenges.Expectation) []string {
	if r.Verdict == string(grading.Invalid) {
		return []string{"the grading was invalid: " + r.Invalid}
	}
	var problems []string
	if !codesMatch(r.Codes, want.Codes) {
		problems = append(problems, fmt.Sprintf("codes must be exactly [%s]", strings.Join(want.Codes, " ")))
	}
	if want.Verdict != "" && r.Verdict != want.Verdict {
		problems = append(problems, "verdict must be "+want.Verdict)
	}
	highest := want.MaxScore
	if highest == 0 {
		highest = 100
	}
	if r.Score < want.MinScore || r.Score > highest {
		problems = append(problems, fmt.Sprintf("score must be %g to %g", want.MinScore, highest))
	}
	return problems
}

// codesMatch says whether got is exactly what is wanted; "A|B" in want stands for either, and for both.
func codesMatch(got, want []string) bool {
	left := slices.Clone(got)
	for _, w := range want {
		seen := false
		for _, option := range strings.Split(w, "|") {
			if i := slices.Index(left, option); i >= 0 {
				left = slices.Delete(left, i, i+1)
				seen = true
			}
		}
		if !seen {
			return false
		}
	}
	return len(left) == 0
}

// twinGain is how many points a gaming solution may gain over its honest twin (catalogue §5.7).
const twinGain = 5

func (r *fixtureResult) checkTwin(f challenges.Fixture, scores map[string]float64) {
	honest, graded := scores[f.Twin]
	if !graded || r.Verdict == string(grading.Withheld) || r.Verdict == string(grading.Invalid) {
		return
	}
	if r.Score > honest+twinGain {
		r.Problems = append(r.Problems, fmt.Sprintf("gains %.1f points over its honest twin %s", r.Score-honest, f.Twin))
	}
}

// checkOrder holds that having a fault earns no points: no flawed solution gets more than the reference, the noise of a score aside.
func (r *fixtureResult) checkOrder(scores map[string]float64) {
	const noise = 1
	best, graded := scores["reference"]
	if graded && r.Kind == "flawed" && r.Score > best+noise {
		r.Problems = append(r.Problems, fmt.Sprintf("gets %.1f points more than the reference", r.Score-best))
	}
}

// parityGap is how far the scores of one design in several dresses may lie apart (catalogue §5.6).
const parityGap = 3

// checkParity compares one dress of a design with the first one that was graded.
func (r *fixtureResult) checkParity(scores map[string]float64) {
	const first = "first parity fixture"
	if r.Kind != "parity" || r.Verdict == string(grading.Invalid) {
		return
	}
	if other, graded := scores[first]; !graded {
		scores[first] = r.Score
	} else if math.Abs(r.Score-other) > parityGap {
		r.Problems = append(r.Problems, fmt.Sprintf("differs by %.1f points from the first one of its kind", r.Score-other))
	}
}

func (a *app) sayFixture(r fixtureResult) {
	word := "ok"
	if !r.OK {
		word = "NOT OK: " + strings.Join(r.Problems, "; ")
	}
	fmt.Fprintf(a.err, "  %-40s %5.1f  %-8s %-28s %4.0f s  %s\n", r.Fixture, r.Score, r.Verdict, strings.Join(r.Codes, " "), r.Seconds, word)
}

// showValidation prints what was found.
func (a *app) showValidation(all []fixtureResult, opts validateOptions) {
	t := table.NewWriter()
	t.SetOutputMirror(a.out)
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 3, Align: text.AlignRight}, {Number: 6, WidthMax: 60}})
	t.AppendHeader(table.Row{"solution", "mode", "score", "verdict", "codes", ""})
	for _, r := range all {
		note := "ok"
		if !r.OK {
			note = strings.Join(r.Problems, "; ")
		}
		t.AppendRow(table.Row{r.Challenge + "/" + r.Fixture, r.Mode, fmt.Sprintf("%.1f", r.Score), r.Verdict, strings.Join(r.Codes, " "), note})
	}
	t.Render()
	if opts.runs > 1 {
		fmt.Fprintln(a.out, summarise(all, opts.neighbour).sentence())
	}
}

// stability says what changed when solutions were graded again. A solution's first grading is what the others are compared with; invalid ones
// say nothing of it.
type stability struct {
	Gradings        int     `json:"gradings"`
	Solutions       int     `json:"solutions"`
	Neighbour       bool    `json:"neighbour"`
	ChangedVerdicts int     `json:"changedVerdicts"`
	ChangedCodes    int     `json:"changedCodes"`
	Invalid         int     `json:"invalid"`       // invalid gradings, those that were set aside and those that stayed so
	LargestSpread   float64 `json:"largestSpread"` // of scores of one solution
	SpreadOf        string  `json:"spreadOf"`
}

func summarise(all []fixtureResult, neighbour bool) stability {
	s := stability{Gradings: len(all), Neighbour: neighbour}
	type seen struct {
		first     fixtureResult
		low, high float64
	}
	solutions, by := map[string]bool{}, map[string]*seen{}
	for _, r := range all {
		name := r.Challenge + "/" + r.Fixture
		solutions[name] = true
		s.Invalid += r.Again
		if r.Verdict == string(grading.Invalid) {
			s.Invalid++
			continue
		}
		k := by[name]
		if k == nil {
			by[name] = &seen{r, r.Score, r.Score}
			continue
		}
		if r.Verdict != k.first.Verdict {
			s.ChangedVerdicts++
		}
		if !slices.Equal(r.Codes, k.first.Codes) {
			s.ChangedCodes++
		}
		k.low, k.high = min(k.low, r.Score), max(k.high, r.Score)
		if spread := k.high - k.low; spread > s.LargestSpread || s.SpreadOf == "" {
			s.LargestSpread, s.SpreadOf = spread, name
		}
	}
	s.Solutions = len(solutions)
	return s
}

func (s stability) sentence() string {
	beside := ""
	if s.Neighbour {
		beside = " beside a busy neighbour"
	}
	return fmt.Sprintf("%d gradings of %d solutions%s: %d changed verdicts, %d changed codes; scores of one solution differ by %.1f at most (%s); %d invalid gradings.",
		s.Gradings, s.Solutions, beside, s.ChangedVerdicts, s.ChangedCodes, s.LargestSpread, s.SpreadOf, s.Invalid)
}

func matchesAny(patterns, name string) bool {
	for _, p := range strings.Split(patterns, ",") {
		if ok, err := path.Match(strings.TrimSpace(p), name); err == nil && ok {
			return true
		}
	}
	return false
}

func codesOf(rep *grading.Report) []string {
	codes := make([]string, 0, len(rep.Codes))
	for _, c := range rep.Codes {
		codes = append(codes, c.Code)
	}
	return codes
}

func unknownMode(ch *challenges.Challenge, mode string) error {
	names := make([]string, 0, len(ch.Modes))
	for name := range ch.Modes {
		names = append(names, name)
	}
	slices.Sort(names)
	return usagef("There are: "+strings.Join(names, ", ")+".", "%s has no mode %q", ch.ID, mode)
}
