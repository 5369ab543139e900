package platform_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	own := platform.Errorf(platform.NotFound, "There is no %s.", "such thing")
	wrapped := fmt.Errorf("find thing: %w", own)
	assert.Equal(t, platform.NotFound, platform.ErrorCode(wrapped))
	assert.Equal(t, "There is no such thing.", platform.ErrorMessage(wrapped))
	foreign := errors.New("password=secret")
	assert.Equal(t, platform.Internal, platform.ErrorCode(foreign))
	assert.NotContains(t, platform.ErrorMessage(foreign), "secret", "what is not meant for others is not shown")
	assert.Empty(t, platform.ErrorCode(nil))
	assert.Empty(t, platform.ErrorMessage(nil))
	assert.Equal(t, "invalid: name: too long", platform.InvalidField("name", "too long").Error())
}

func TestIDs(t *testing.T) {
	t.Parallel()
	early := platform.NewID(platform.KindJob, time.UnixMilli(1_700_000_000_000))
	late := platform.NewID(platform.KindJob, time.UnixMilli(1_700_000_000_001))
	assert.Less(t, early, late, "ids sort by time")
	assert.NotEqual(t, early, platform.NewID(platform.KindJob, time.UnixMilli(1_700_000_000_000)))
	assert.True(t, early.Is(platform.KindJob))
	for _, bad := range []platform.ID{"", "job_", early + "0", early[:len(early)-1], "job_" + platform.ID(strings.Repeat("u", 26)), "sub" + early[3:], "job_../../../../../../etc/pas"} {
		assert.False(t, bad.Is(platform.KindJob), "%q", bad)
	}
	assert.Equal(t, time.UnixMilli(1_700_000_000_001).UTC(), late.Time())
	for _, none := range []platform.ID{"", "job_", "job_uuuu", "nonsense"} {
		assert.Zero(t, none.Time(), "%q", none)
	}
	assert.True(t, platform.NewTimelessID(platform.KindStatistic).Is(platform.KindStatistic))
}

func TestTokens(t *testing.T) {
	t.Parallel()
	a, b := platform.NewToken(platform.InvitationToken), platform.NewToken(platform.InvitationToken)
	assert.NotEqual(t, a, b)
	assert.Len(t, a, len(platform.InvitationToken)+43, "256 bits")
	// echo -n abc | sha256sum
	assert.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", platform.HashToken("abc"))
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for i, have := range platform.Roles() {
		for j, need := range platform.Roles() {
			assert.Equal(t, i <= j, have.May(need), "%s may what needs %s", have, need)
		}
		assert.False(t, have.May("admin"))
		assert.False(t, platform.Role("").May(have))
	}
	assert.False(t, platform.Role("").May(""))
}

func TestAPITokenUsable(t *testing.T) {
	t.Parallel()
	now := time.Now()
	assert.True(t, platform.APIToken{}.UsableAt(now))
	assert.False(t, platform.APIToken{ExpiresAt: now}.UsableAt(now))
	assert.True(t, platform.APIToken{ExpiresAt: now.Add(1)}.UsableAt(now))
	assert.False(t, platform.APIToken{RevokedAt: now}.UsableAt(now))
	assert.True(t, platform.APIToken{Scopes: []platform.Scope{platform.ScopeResultsRead}}.Has(platform.ScopeResultsRead))
	assert.False(t, platform.APIToken{Scopes: []platform.Scope{platform.ScopeResultsRead}}.Has(platform.ScopeDecisionsWrite))
}

func validSettings() platform.Settings {
	return platform.Settings{
		Name: "Backend engineer", Mode: "standard", Attempts: 1, PassMark: 60, Visible: platform.SeesReport, RetentionDays: 90,
		Challenges: []platform.AssessmentChallenge{{ChallengeID: "log-aggregate", Version: 1, Weight: 1}},
	}
}

func TestSettingsValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, validSettings().Validate())
	for name, tt := range map[string]struct {
		field  string
		change func(*platform.Settings)
	}{
		"no name":                {"name", func(s *platform.Settings) { s.Name = " " }},
		"long name":              {"name", func(s *platform.Settings) { s.Name = strings.Repeat("ä", 201) }},
		"long role":              {"roleTitle", func(s *platform.Settings) { s.RoleTitle = strings.Repeat("ä", 201) }},
		"long message":           {"message", func(s *platform.Settings) { s.Message = strings.Repeat("ä", 10_001) }},
		"no mode":                {"mode", func(s *platform.Settings) { s.Mode = "" }},
		"limit below 0":          {"timeLimit", func(s *platform.Settings) { s.TimeLimit = -1 }},
		"limit of months":        {"timeLimit", func(s *platform.Settings) { s.TimeLimit = 31 * 24 * time.Hour }},
		"no attempt":             {"attempts", func(s *platform.Settings) { s.Attempts = 0 }},
		"pass mark not a number": {"passMark", func(s *platform.Settings) { s.PassMark = math.NaN() }},
		"pass mark above 100":    {"passMark", func(s *platform.Settings) { s.PassMark = 100.1 }},
		"sees everything":        {"visible", func(s *platform.Settings) { s.Visible = "everything" }},
		"kept for ever":          {"retentionDays", func(s *platform.Settings) { s.RetentionDays = 0 }},
		"no challenge":           {"challenges", func(s *platform.Settings) { s.Challenges = nil }},
		"a challenge twice":      {"challenges", func(s *platform.Settings) { s.Challenges = append(s.Challenges, s.Challenges[0]) }},
		"no weight":              {"challenges", func(s *platform.Settings) { s.Challenges[0].Weight = 0 }},
		"no version":             {"challenges", func(s *platform.Settings) { s.Challenges[0].Version = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := validSettings()
			tt.change(&s)
			var err *platform.Error
			require.ErrorAs(t, s.Validate(), &err)
			assert.Equal(t, platform.Invalid, err.Code)
			assert.Equal(t, tt.field, err.Field)
		})
	}
}

func TestInviteeValidate(t *testing.T) {
	t.Parallel()
	for _, ok := range []platform.Invitee{
		{Name: "Ada"}, {Email: "a@example.org"}, {Name: "Ада", Email: "x.y+z@example.org", ExtraPercent: 300},
	} {
		assert.NoError(t, ok.Validate(), "%+v", ok)
	}
	for _, tt := range []struct {
		field string
		in    platform.Invitee
	}{
		{"name", platform.Invitee{}},
		{"name", platform.Invitee{Name: "Ada\r\nBcc: everybody@example.org"}},
		{"name", platform.Invitee{Name: strings.Repeat("ä", 201)}},
		{"email", platform.Invitee{Email: "ada"}},
		{"email", platform.Invitee{Email: "@example.org"}},
		{"email", platform.Invitee{Email: "a@example.org, b@example.org"}},
		{"email", platform.Invitee{Email: "a@example.org\nBcc: b@example.org"}},
		{"externalRef", platform.Invitee{Name: "Ada", ExternalRef: strings.Repeat("x", 201)}},
		{"extraPercent", platform.Invitee{Name: "Ada", ExtraPercent: -1}},
		{"extraPercent", platform.Invitee{Name: "Ada", ExtraPercent: 301}},
	} {
		var err *platform.Error
		if assert.ErrorAs(t, tt.in.Validate(), &err, "%+v", tt.in) {
			assert.Equal(t, tt.field, err.Field, "%+v", tt.in)
		}
	}
}

func TestCursor(t *testing.T) {
	t.Parallel()
	mark := platform.Mark{At: time.UnixMilli(1_700_000_000_123).UTC(), ID: platform.NewID(platform.KindJob, time.Now()), Sort: "score"}
	got, err := mark.Encode().Decode()
	require.NoError(t, err)
	assert.Equal(t, mark, got)
	none, err := platform.Cursor("").Decode()
	require.NoError(t, err)
	assert.Equal(t, platform.Mark{}, none)
	for _, bad := range []platform.Cursor{"!", "e30", "bm9uc2Vuc2U", platform.Cursor(strings.Repeat("a", 600))} {
		_, err := bad.Decode()
		assert.Equal(t, platform.Invalid, platform.ErrorCode(err), "%q", bad)
	}
	assert.Equal(t, 50, platform.Page{}.Size())
	assert.Equal(t, 7, platform.Page{Limit: 7}.Size())
	assert.Equal(t, 200, platform.Page{Limit: 1e6}.Size())
}

func TestCombine(t *testing.T) {
	t.Parallel()
	part := func(weight float64, verdict platform.Verdict, score, low, high float64) platform.Part {
		return platform.Part{Weight: weight, Verdict: verdict, Score: score, Low: low, High: high}
	}
	for _, tt := range []struct {
		name  string
		parts []platform.Part
		want  platform.Overall
	}{
		{"one", []platform.Part{part(2, platform.Passed, 80, 75, 84)}, platform.Overall{Score: 80, Low: 75, High: 84, Verdict: platform.Passed}},
		{"weights", []platform.Part{part(3, platform.Passed, 80, 80, 80), part(1, platform.Below, 40, 40, 40)},
			platform.Overall{Score: 70, Low: 70, High: 70, Verdict: platform.Passed}},
		{"distances add up as squares", []platform.Part{part(1, platform.Passed, 60, 54, 63), part(1, platform.Passed, 60, 52, 64)},
			platform.Overall{Score: 60, Low: 55, High: 62.5, Verdict: platform.Passed}},
		{"not handed in counts nothing", []platform.Part{part(1, platform.Passed, 90, 90, 90), part(1, "", 0, 0, 0)},
			platform.Overall{Score: 45, Low: 45, High: 45, Verdict: platform.Below}},
		{"withheld wins", []platform.Part{part(1, platform.Withheld, 90, 90, 90), part(1, platform.Incomplete, 0, 0, 0)},
			platform.Overall{Score: 90, Low: 90, High: 90, Verdict: platform.Withheld}},
		{"our fault lowers nothing", []platform.Part{part(1, platform.Passed, 90, 90, 90), part(1, platform.Incomplete, 0, 0, 0)},
			platform.Overall{Score: 90, Low: 90, High: 90, Verdict: platform.Incomplete}},
		{"nothing at all", nil, platform.Overall{Verdict: platform.Incomplete}},
		{"exactly the mark", []platform.Part{part(1, platform.Passed, 60, 50, 70)}, platform.Overall{Score: 60, Low: 50, High: 70, Verdict: platform.Passed}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, platform.Combine(tt.parts, 60))
		})
	}
}

func TestResultValidate(t *testing.T) {
	t.Parallel()
	good := platform.Result{Verdict: platform.Passed, Score: 70, Low: 65, High: 75, Report: platform.Blob{Key: "k", Digest: "sha256:x"}}
	require.NoError(t, good.Validate())
	for name, change := range map[string]func(*platform.Result){
		"invalid is no result": func(r *platform.Result) { r.Verdict = platform.Untrusted },
		"score not a number":   func(r *platform.Result) { r.Score = math.NaN() },
		"interval upside down": func(r *platform.Result) { r.Low, r.High = 75, 65 },
		"above 100":            func(r *platform.Result) { r.High = 101 },
		"no report":            func(r *platform.Result) { r.Report = platform.Blob{} },
		"endless criteria":     func(r *platform.Result) { r.Criteria = make([]platform.CriterionResult, 101) },
	} {
		r := good
		change(&r)
		assert.Equal(t, platform.Invalid, platform.ErrorCode(r.Validate()), name)
	}
}

func TestBySkill(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []platform.SkillPoints{{"event-loop", 5, 15}, {"streams", 8, 10}}, platform.BySkill([]platform.CriterionResult{
		{Skill: "streams", Assessed: true, Points: 8, MaxPoints: 10},
		{Skill: "event-loop", Assessed: true, Points: 5, MaxPoints: 10},
		{Skill: "event-loop", Assessed: true, MaxPoints: 5},
		{Skill: "api", Points: 5, MaxPoints: 5},
	}))
}
