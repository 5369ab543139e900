package resilienthome

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/upstream"
)

// parts are what the services answer about a user, at a time.
func parts(c *content, user string, id int, at time.Duration) (profile, items, experiments json.RawMessage) {
	get := func(service, path string, id int) map[string]json.RawMessage {
		var body map[string]json.RawMessage
		if err := json.Unmarshal(c.answer(upstream.Call{ID: id, Upstream: service, Path: path + user, Arrived: at}), &body); err != nil {
			panic(err)
		}
		return body
	}
	p := c.answer(upstream.Call{ID: id, Upstream: profiles, Path: "/profile/" + user, Arrived: at})
	return p, get(recs, "/recs/", id+1)["items"], get(tests, "/experiments/", id+2)["experiments"]
}

func page(t *testing.T, fields map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(fields)
	require.NoError(t, err)
	return b
}

func TestReadPage(t *testing.T) {
	t.Parallel()
	c := newContent([]byte("seed"))
	old, oldItems, _ := parts(c, "u-1", 1, 10*time.Second)
	profile, items, experiments := parts(c, "u-1", 11, 90*time.Second)
	other, otherItems, otherTests := parts(c, "u-2", 21, 90*time.Second)
	none, null := []string{}, json.RawMessage("null")
	for _, tt := range []struct {
		name   string
		fields map[string]any
		want   flags
	}{
		{"whole", map[string]any{"profile": profile, "recs": items, "experiments": experiments, "degraded": none}, fullPage},
		{"more fields do no harm", map[string]any{"profile": profile, "recs": items, "experiments": experiments, "degraded": none, "took": 3}, fullPage},
		{"without recs", map[string]any{"profile": profile, "recs": nil, "experiments": experiments, "degraded": []string{"recs"}}, noRecs},
		{"without experiments", map[string]any{"profile": profile, "recs": items, "experiments": nil, "degraded": []string{"experiments"}}, noTests},
		{"profile alone", map[string]any{"profile": profile, "recs": nil, "experiments": nil, "degraded": []string{"experiments", "recs"}}, onlyUser},
		{"old recs", map[string]any{"profile": profile, "recs": oldItems, "experiments": experiments, "degraded": []string{"recs"}, "stale": true}, fullPage | oldRecs | tooOldRecs | saysStale | saysRecs},
		{"old profile", map[string]any{"profile": old, "recs": items, "experiments": experiments, "degraded": none}, fullPage &^ rightProfile},
		{"profile of somebody else", map[string]any{"profile": other, "recs": items, "experiments": experiments, "degraded": none}, fullPage &^ rightProfile},
		{"recs of somebody else", map[string]any{"profile": profile, "recs": otherItems, "experiments": experiments, "degraded": none}, fullPage &^ rightRecs},
		{"experiments of somebody else", map[string]any{"profile": profile, "recs": items, "experiments": otherTests, "degraded": none}, fullPage &^ rightTests},
		{"no recs field", map[string]any{"profile": profile, "experiments": experiments, "degraded": none}, 0},
		{"no degraded", map[string]any{"profile": profile, "recs": items, "experiments": experiments}, 0},
		{"no profile", map[string]any{"profile": null, "recs": items, "experiments": experiments, "degraded": none}, 0},
		{"made-up profile", map[string]any{"profile": map[string]string{"user": "u-1"}, "recs": []any{}, "experiments": map[string]string{}, "degraded": none}, isPage | hasRecs | hasTests},
		{"degraded twice", map[string]any{"profile": profile, "recs": nil, "experiments": experiments, "degraded": []string{"recs", "recs"}}, noRecs | saysOther},
		{"degraded profile", map[string]any{"profile": profile, "recs": items, "experiments": experiments, "degraded": []string{"profile"}}, fullPage | saysOther},
		{"wrong types", map[string]any{"profile": profile, "recs": "none", "experiments": experiments, "degraded": none}, 0},
	} {
		assert.Equal(t, tt.want, c.readPage("u-1", 80*time.Second, page(t, tt.fields)), tt.name)
	}
	changed := strings.Replace(string(items), "Title ", "Film ", 1)
	got := c.readPage("u-1", 80*time.Second, page(t, map[string]any{"profile": profile, "recs": json.RawMessage(changed), "experiments": experiments, "degraded": none}))
	assert.Equal(t, fullPage&^rightRecs, got, "one title is another")
	assert.Zero(t, c.readPage("u-1", 0, []byte("<html>")))
}

func TestReadPlayAndProblem(t *testing.T) {
	t.Parallel()
	c := newContent([]byte("seed"))
	body := c.answer(upstream.Call{ID: 5, Upstream: profiles, Path: "/plays", Body: `{"user":"u-1","title":"t"}`, Arrived: time.Second})
	assert.Equal(t, rightPlay, c.readPlay("u-1", 0, body))
	assert.Zero(t, c.readPlay("u-2", 0, body), "of somebody else")
	assert.Zero(t, c.readPlay("u-1", 2*time.Second, body), "of an earlier request")
	assert.Zero(t, c.readPlay("u-1", 0, []byte(`{"play":"p-1","user":"u-1"}`)), "made up")
	assert.Zero(t, c.readPlay("u-1", 0, nil))
	for _, tt := range []struct {
		contentType, body string
		want              flags
	}{
		{"application/problem+json", `{"status":503,"title":"x"}`, isProblem},
		{"application/problem+json; charset=utf-8", `{"status":503,"title":"x","detail":"y"}`, isProblem},
		{"application/problem+json", `{"status":500,"title":"x"}`, isProblem | wrongStatus},
		{"application/problem+json", `{"status":503}`, 0},
		{"application/json", `{"status":503,"title":"x"}`, 0},
		{"application/problem+json", `no`, 0},
	} {
		assert.Equal(t, tt.want, readProblem(503, tt.contentType, []byte(tt.body)), "%+v", tt)
	}
}

// FuzzReadPage: whatever a submission answers is judged, and nothing is right that no service had said.
func FuzzReadPage(f *testing.F) {
	f.Add([]byte(`{"profile":{"user":"u-1"},"recs":[{"id":"t--1"}],"experiments":{},"degraded":["recs"],"stale":true}`))
	f.Add([]byte(`{"profile":[],"recs":{},"experiments":7,"degraded":null}`))
	f.Add([]byte("null"))
	c := newContent([]byte("seed"))
	parts(c, "u-1", 1, time.Second)
	f.Fuzz(func(t *testing.T, body []byte) {
		got := c.readPage("u-1", 0, body)
		assert.Zero(t, got&(rightProfile|rightTests|rightRecs))
		_ = c.readPlay("u-1", 0, body)
		_ = readProblem(500, "application/problem+json", body)
	})
}

func TestPlan(t *testing.T) {
	t.Parallel()
	p := newPlan(1)
	before := time.Duration(0)
	for _, f := range p.Phases {
		assert.Equal(t, before, f.From, f.Name)
		assert.Greater(t, f.To, f.From, f.Name)
		before = f.To
	}
	assert.InDelta(t, 29.2, p.length().Seconds(), 0.5, "what a practice run takes")
	assert.Len(t, p.Together, 3)
	assert.Len(t, newPlan(4).Together, 12)
	assert.Equal(t, phaseHang, p.at(p.phase(phaseHang).From).Name)
	assert.Empty(t, p.at(p.length()).Name)
	var faults []upstream.Fault
	until := p.phase(phaseHang).From
	assert.Greater(t, p.phase(phaseDead).To-p.phase(phaseDead).From, breakerWithin+2*time.Second, "a breaker has time to show")
	assert.Greater(t, p.phase(phaseRecovery).To-p.phase(phaseRecovery).From, 5*time.Second)
	assert.Greater(t, p.phase(phaseDead).To, p.phase(phaseRetryAfter).To+settle+3*time.Second, "profile is back for most of the next outage")
	for _, r := range p.rules(recs, 0) {
		if r.Name == phaseHang {
			faults = append(faults, r.Reply.Fault)
			assert.Greater(t, r.To-until, time.Second, "time to be noticed")
			until = r.To
		}
	}
	assert.Equal(t, []upstream.Fault{upstream.HangMidway, upstream.Hang}, faults, "answers that do not end, then none")
	assert.Equal(t, p.phase(phaseHang).To, until)
	for _, name := range services {
		s, err := upstream.Start(upstream.Options{Name: name, Log: upstream.NewLog(time.Now()), Rules: p.rules(name, time.Second)})
		require.NoError(t, err, "the rules are valid")
		s.Close()
	}
}

func TestVisits(t *testing.T) {
	t.Parallel()
	p := newPlan(1)
	seed := []byte("seed")
	due := schedule(seed, p, rate).Due()
	list := visits(seed, p, due)
	assert.Equal(t, list, visits(seed, p, due), "the same for the same seed")
	assert.NotEqual(t, list, visits([]byte("other"), p, due))
	seen := map[string]int{}
	plays, again := 0, 0
	for i, v := range list {
		seen[v.user]++
		switch v.kind {
		case isPlay:
			plays++
			assert.NotContains(t, []string{phaseErrors, phaseRetryAfter, phaseGarbage}, p.at(due[i]).Name)
		case isRegular:
			again++
		}
	}
	assert.InDelta(t, 0.1, float64(again)/float64(len(list)), 0.03)
	assert.Greater(t, plays, 200)
	assert.Len(t, seen, len(list)-again+regulars, "all others come once")
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		with map[string]any
		want string
	}{
		{map[string]any{"kind": "contract"}, ""},
		{map[string]any{"kind": "outages"}, ""},
		{map[string]any{"kind": "outages", "scale": 4}, ""},
		{map[string]any{"kind": "outages", "scale": uint64(2)}, ""},
		{map[string]any{"kind": "outages", "scale": 2.5}, ""},
		{map[string]any{}, "with.kind"},
		{map[string]any{"kind": "storm"}, "with.kind"},
		{map[string]any{"kind": "outages", "scale": 0}, "with.scale"},
		{map[string]any{"kind": "outages", "scale": 9}, "with.scale"},
		{map[string]any{"kind": "outages", "scale": "x"}, "with.scale"},
		{map[string]any{"kind": "contract", "scale": 2}, "with.scale"},
		{map[string]any{"kind": "outages", "speed": 2}, "with.speed"},
	} {
		err := New().Check(tt.with)
		_, perr := New().Prepare(t.Context(), graders.Preparation{With: tt.with, Seed: []byte("s")})
		if tt.want == "" {
			require.NoError(t, err)
			require.NoError(t, perr)
			continue
		}
		require.ErrorContains(t, err, tt.want)
		require.ErrorContains(t, perr, tt.want)
	}
}

// TestTruthHasNoSeed: who reads it learns nothing of the next run, and Measure needs none.
func TestTruthHasNoSeed(t *testing.T) {
	t.Parallel()
	p, err := New().Prepare(t.Context(), graders.Preparation{With: map[string]any{"kind": "outages"}, Seed: []byte("0123")})
	require.NoError(t, err)
	assert.JSONEq(t, `{"kind":"outages","scale":1}`, string(p.Truth))
	assert.Empty(t, p.DataDir)
}

func TestJudgeCase(t *testing.T) {
	t.Parallel()
	c := contractCase{want: wanted{status: []int{200}, flags: noRecs}}
	for _, tt := range []struct {
		a    *answer
		want string
	}{
		{nil, "not asked"},
		{&answer{Error: "it broke"}, "it broke"},
		{&answer{Status: 500, Body: "oh"}, "Status 500, expected 200"},
		{&answer{Status: 200, Flags: noRecs, Ms: 1200}, "after 1200 ms"},
		{&answer{Status: 200, Flags: noRecs &^ saysRecs}, "does not name recs"},
		{&answer{Status: 200, Flags: fullPage}, "though the service gave none"},
		{&answer{Status: 200, Flags: noRecs | saysTests}, "names experiments"},
		{&answer{Status: 200, Flags: 0}, "has not profile"},
	} {
		assert.Contains(t, c.judge(tt.a), tt.want)
	}
	assert.Empty(t, c.judge(&answer{Status: 200, Flags: noRecs, Ms: 700}))
	once := contractCase{want: wanted{status: []int{502, 503}, flags: isProblem, calls: 1}}
	assert.Empty(t, once.judge(&answer{Status: 502, Flags: isProblem, Calls: 1}))
	assert.Contains(t, once.judge(&answer{Status: 502, Flags: isProblem, Calls: 2}), "2 times, expected 1")
	assert.Contains(t, once.judge(&answer{Status: 500, Flags: isProblem, Calls: 1}), "502 or 503")
	never := contractCase{want: wanted{status: []int{400}, flags: isProblem, calls: -1}}
	assert.Contains(t, never.judge(&answer{Status: 400, Flags: isProblem, Calls: 1}), "passed on")
}
