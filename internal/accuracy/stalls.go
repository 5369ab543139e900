package accuracy

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/assay-run/assay/graders/knowntruth"
	"github.com/assay-run/assay/internal/evidence"
)

// The bar for stalls: between these lengths the error is at most StallErrorMs or StallErrorShare of the truth, whichever is more.
const (
	StallFromMs     = 20
	StallToMs       = 5000
	StallErrorMs    = 2
	StallErrorShare = 0.02
	// NoStallMs is what work that gives the loop back must stay below: it is the shortest stall that is spoken of.
	NoStallMs = 20
)

// probeLateMs is how long after a block the probe's record of it may come: one interval of the probe, and what it takes.
const probeLateMs = 250

// disturbedFrom is the part of a latency that counts as taken out. Below it is only that the two were computed apart.
const disturbedFrom = 50 * time.Microsecond

// Stall is one injected stall, as it was and as it is reported.
type Stall struct {
	How        string  `json:"how"`
	AskedMs    float64 `json:"askedMs"`
	TrueMs     float64 `json:"trueMs"`     // longest time in which the loop did not turn, by the program's clock
	WorkMs     float64 `json:"workMs"`     // from the first to the last of its work
	ReportedMs float64 `json:"reportedMs"` // the stall that the heartbeat reports; of slices with setImmediate, the slowest heartbeat
	UnsureMs   float64 `json:"unsureMs"`   // what it says that this may be wrong by
	RawMs      float64 `json:"rawMs"`      // the same by the clock alone: nothing taken out for what the machine took
	WaitMs     float64 `json:"waitMs"`     // latency of the slowest heartbeat that was due in it
	ProbeMs    float64 `json:"probeMs"`    // what the probe inside the process said (E3: explains, never scored)
	ErrorMs    float64 `json:"errorMs"`    // reported less true
	RawErrorMs float64 `json:"rawErrorMs"` // raw less true
	// Disturbed says that the machine kept the program or our own process from running meanwhile, for LostMs. The truth is wall
	// time; what is reported is without time that was lost, as far as it was forgiven; so the two are then not the same thing.
	Disturbed bool    `json:"disturbed"`
	LostMs    float64 `json:"lostMs"`
	Judged    bool    `json:"judged"` // whether the bar speaks of it
	Within    bool    `json:"within"`
	RawWithin bool    `json:"rawWithin"`
}

// Stalls are all injected stalls of a bench.
type Stalls struct {
	HeartbeatHz float64 `json:"heartbeatHz"`
	// OwnLateMs is how late our sender was at worst, TakenOutMs what was taken out of latencies because our sender, or the
	// submission, was not given its core; both summed or taken over all runs.
	OwnLateMs  float64 `json:"ownLateMs"`
	TakenOutMs float64 `json:"takenOutMs"`
	List       []Stall `json:"list"`
}

// Add compares one execution of the known program.
func (s *Stalls) Add(e evidence.Execution) error {
	truth, facts, err := known(e)
	if err != nil {
		return err
	}
	if e.Heartbeat != nil {
		s.OwnLateMs = max(s.OwnLateMs, ms(e.Heartbeat.OwnLateNs))
		s.TakenOutMs += ms(e.Heartbeat.OwnPausedNs + e.Heartbeat.StolenNs)
	}
	seen := facts.Stalls
	for _, event := range truth.Events {
		if event.Do != knowntruth.DoBlock {
			continue
		}
		if len(seen) == 0 {
			return fmt.Errorf("compare stalls: the heartbeat says nothing of the block %s of %g ms", event.How, event.Ms)
		}
		stall := compareStall(event, seen[0])
		from, to := seconds(event.From, facts.StartedNs), seconds(event.To, facts.StartedNs)
		stall.ProbeMs = highest(e.Find(evidence.SeriesProbeDelay), from, to+probeLateMs/1e3) / 1e6
		seen = seen[1:]
		s.List = append(s.List, stall)
	}
	return nil
}

func compareStall(event knowntruth.Event, seen knowntruth.Stall) Stall {
	s := Stall{
		How: event.How, AskedMs: event.Ms, TrueMs: ms(event.Longest), WorkMs: ms(event.To - event.From),
		ReportedMs: ms(seen.StallNs), UnsureMs: ms(seen.StallErrorNs), RawMs: ms(seen.ClockNs), WaitMs: ms(seen.MaxNs),
		LostMs: ms(seen.LateNs + seen.StolenNs),
	}
	if s.How == knowntruth.BlockImmediate {
		s.ReportedMs, s.UnsureMs, s.RawMs = s.WaitMs, 0, ms(seen.RawNs)
	}
	s.Disturbed = s.LostMs > 0 || seen.RawNs-seen.MaxNs > int64(disturbedFrom)
	s.ErrorMs, s.RawErrorMs = s.ReportedMs-s.TrueMs, s.RawMs-s.TrueMs
	if s.How == knowntruth.BlockImmediate {
		s.Judged, s.Within, s.RawWithin = true, s.ReportedMs < NoStallMs, s.RawMs < NoStallMs
		return s
	}
	s.Judged = s.AskedMs >= StallFromMs && s.AskedMs <= StallToMs
	bar := max(StallErrorMs, StallErrorShare*s.TrueMs)
	s.Within, s.RawWithin = math.Abs(s.ErrorMs) <= bar, math.Abs(s.RawErrorMs) <= bar
	return s
}

// known reads what the known program and its workload have left in the evidence.
func known(e evidence.Execution) (knowntruth.Truth, knowntruth.Facts, error) {
	var facts knowntruth.Facts
	if !e.Exit.OK() || e.Output == nil || e.Output.State != evidence.FileOK {
		return knowntruth.Truth{}, facts, fmt.Errorf("the known program ended as %s, code %d, and left no truth: %.300s",
			e.Exit.Status, e.Exit.Code, e.Stderr.Text)
	}
	if err := json.Unmarshal(e.Facts, &facts); err != nil {
		return knowntruth.Truth{}, facts, fmt.Errorf("read facts of the known program: %w", err)
	}
	truth, err := knowntruth.ReadTruth(e.Output.Content)
	return truth, facts, err
}

func (s *Stalls) sections() []Section {
	blocks := slices.DeleteFunc(slices.Clone(s.List), func(x Stall) bool { return x.How == knowntruth.BlockImmediate })
	lengths := distinct(blocks, func(x Stall) float64 { return x.AskedMs })
	slices.Sort(lengths)
	byLength := Section{
		Title: fmt.Sprintf("Stalls by length: reported less true, in ms (heartbeat at %g Hz)", s.HeartbeatHz),
		Table: Table{Head: stallHead("stall")},
		Remarks: []string{
			fmt.Sprintf("Bar: within %d ms or %g %% from %d ms to 5 s. A beat is due each %s; when the stall began before it, the kernel's account of the main thread tells.",
				StallErrorMs, 100*StallErrorShare, StallFromMs, time.Duration(float64(time.Second)/s.HeartbeatHz)),
			fmt.Sprintf("Undisturbed: the machine kept neither the program nor our process from running meanwhile. \"By the clock\" is all stalls, with nothing taken out. In all, %.0f ms were taken out of latencies; our sender was %.0f ms late at worst.",
				s.TakenOutMs, s.OwnLateMs),
		},
	}
	for _, length := range lengths {
		byLength.Table.Add(stallRow(digits(length, 0)+" ms", blocks, func(x Stall) bool { return x.AskedMs == length })...)
	}
	byKind := Section{Title: "Stalls by kind: reported less true, in ms", Table: Table{Head: stallHead("kind")}}
	for _, how := range knowntruth.Blocks() {
		of := func(x Stall) bool { return x.How == how }
		if slices.ContainsFunc(blocks, of) {
			byKind.Table.Add(stallRow(how, blocks, of)...)
		}
	}
	return []Section{byLength, byKind, s.turning()}
}

func stallHead(first string) []string {
	return []string{first, "n", "undisturbed", "error: least", "median", "most", "within bar", "by the clock: least", "median", "most", "within bar", "probe, median"}
}

// stallRow sums up the stalls of one length or kind: first what is reported of the undisturbed ones, then all of them by the clock.
func stallRow(name string, list []Stall, of func(Stall) bool) []string {
	var errs, raw, probe []float64
	judged, within, rawJudged, rawWithin := 0, 0, 0, 0
	for _, x := range list {
		if !of(x) {
			continue
		}
		raw, probe = append(raw, x.RawErrorMs), append(probe, x.ProbeMs-x.TrueMs)
		rawJudged, rawWithin = rawJudged+one(x.Judged), rawWithin+one(x.Judged && x.RawWithin)
		if !x.Disturbed {
			errs = append(errs, x.ErrorMs)
			judged, within = judged+one(x.Judged), within+one(x.Judged && x.Within)
		}
	}
	row := []string{name, digits(float64(len(raw)), 0), digits(float64(len(errs)), 0)}
	row = append(row, signedSpread(errs)...)
	row = append(row, share(within, judged))
	row = append(row, signedSpread(raw)...)
	return append(row, share(rawWithin, rawJudged), signed(Quantile(probe, 0.5), 1))
}

func signedSpread(values []float64) []string {
	if len(values) == 0 {
		return []string{"–", "–", "–"}
	}
	v := SpreadOf(values)
	return []string{signed(v.Min, 1), signed(v.Median, 1), signed(v.Max, 1)}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// turning is about work that gives the loop back.
func (s *Stalls) turning() Section {
	t := Section{
		Title: "Work in slices of 5 ms with setImmediate: it must not be reported as a stall",
		Table: Table{Head: []string{"work", "n", "undisturbed", "longest slice, ms", "reported, median", "most", fmt.Sprintf("below %d ms", NoStallMs), "all: most"}},
	}
	list := slices.DeleteFunc(slices.Clone(s.List), func(x Stall) bool { return x.How != knowntruth.BlockImmediate })
	lengths := distinct(list, func(x Stall) float64 { return x.AskedMs })
	slices.Sort(lengths)
	for _, length := range lengths {
		var slice, reported, all []float64
		within := 0
		for _, x := range list {
			if x.AskedMs != length {
				continue
			}
			if all = append(all, x.RawMs); !x.Disturbed {
				slice, reported, within = append(slice, x.TrueMs), append(reported, x.ReportedMs), within+one(x.Within)
			}
		}
		t.Table.Add(digits(length, 0)+" ms", digits(float64(len(all)), 0), digits(float64(len(reported)), 0), digits(SpreadOf(slice).Max, 1),
			digits(Quantile(reported, 0.5), 1), digits(SpreadOf(reported).Max, 1), share(within, len(reported)), digits(SpreadOf(all).Max, 1))
	}
	return t
}

// distinct are the values of a field in the order of their first appearance.
func distinct[T any, V comparable](list []T, field func(T) V) []V {
	var out []V
	have := map[V]bool{}
	for _, x := range list {
		if v := field(x); !have[v] {
			have[v] = true
			out = append(out, v)
		}
	}
	return out
}

func ms(ns int64) float64 { return float64(ns) / 1e6 }

// seconds is a moment of CLOCK_MONOTONIC on the time axis of an execution.
func seconds(ns, started int64) float64 { return float64(ns-started) / 1e9 }

// highest is the largest value of a curve from one time to another, 0 where there is none.
func highest(s *evidence.Series, from, to float64) float64 {
	most := 0.0
	if s == nil {
		return most
	}
	for i, t := range s.T {
		if t >= from && t <= to {
			most = max(most, s.Max[i])
		}
	}
	return most
}
