package platform

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Visibility is what a candidate may see of the own result.
type Visibility string

// The visibilities, the least first. Dry runs are always shown in full.
const (
	SeesNothing Visibility = "nothing"
	SeesOutcome Visibility = "outcome" // passed or not, without figures
	SeesScore   Visibility = "score"   // score, interval and the first screen's sentences
	SeesReport  Visibility = "report"  // the whole report
)

// Valid says whether it is one of the visibilities.
func (v Visibility) Valid() bool {
	switch v {
	case SeesNothing, SeesOutcome, SeesScore, SeesReport:
		return true
	}
	return false
}

// Bounds of an assessment.
const (
	MaxChallenges    = 20
	MaxAttempts      = 10
	MaxTimeLimit     = 30 * 24 * time.Hour
	MaxRetentionDays = 3650
	MaxNameRunes     = 200
	MaxMessageRunes  = 10_000
	MaxExtraPercent  = 300
)

// Settings are what a hiring team decides about an assessment. A change makes a new version; an attempt keeps the
// version that it began with.
type Settings struct {
	Name      string
	RoleTitle string
	Message   string // to the candidate; plain text
	Contact   string // whom candidates may ask, e.g. an address; one line
	// Mode is that of the graders, e.g. "standard", for each challenge that has none of its own.
	Mode       string
	Challenges []AssessmentChallenge
	Deadline   time.Time // nobody works after it; zero: none
	// TimeLimit is that of one attempt, without a candidate's extra time; 0: none.
	TimeLimit     time.Duration
	Attempts      int     // each candidate may start so many
	PassMark      float64 // of the whole, 0…100
	Visible       Visibility
	RetentionDays int // personal data are erased so many days after an invitation is over
}

// AssessmentChallenge is one challenge of an assessment.
type AssessmentChallenge struct {
	ChallengeID string
	Version     int
	Weight      float64 // relative to the others, > 0
	Mode        string  // empty: that of the assessment
}

// ModeOf is the mode that a challenge's final submission is graded in.
func (s Settings) ModeOf(c AssessmentChallenge) string {
	if c.Mode != "" {
		return c.Mode
	}
	return s.Mode
}

// Challenge finds a challenge by its id.
func (s Settings) Challenge(id string) (AssessmentChallenge, bool) {
	for _, c := range s.Challenges {
		if c.ChallengeID == id {
			return c, true
		}
	}
	return AssessmentChallenge{}, false
}

// Validate checks what can be checked without knowing the challenges. The error is an *Error that names the field.
func (s Settings) Validate() error {
	switch {
	case strings.TrimSpace(s.Name) == "":
		return InvalidField("name", "An assessment needs a name.")
	case utf8.RuneCountInString(s.Name) > MaxNameRunes:
		return InvalidField("name", "The name may have %d characters at most.", MaxNameRunes)
	case utf8.RuneCountInString(s.RoleTitle) > MaxNameRunes:
		return InvalidField("roleTitle", "The role may have %d characters at most.", MaxNameRunes)
	case utf8.RuneCountInString(s.Message) > MaxMessageRunes:
		return InvalidField("message", "The message may have %d characters at most.", MaxMessageRunes)
	case utf8.RuneCountInString(s.Contact) > MaxNameRunes:
		return InvalidField("contact", "Whom to ask may have %d characters at most.", MaxNameRunes)
	case hasControl(s.Contact):
		return InvalidField("contact", "Whom to ask is one line.")
	case hasControl(s.Name) || hasControl(s.RoleTitle):
		return InvalidField("name", "Name and role have no line breaks or control characters.")
	case !utf8.ValidString(s.Message) || strings.ContainsRune(s.Message, 0):
		return InvalidField("message", "The message is not text.")
	case s.Mode == "":
		return InvalidField("mode", "An assessment needs a mode.")
	case s.TimeLimit < 0 || s.TimeLimit > MaxTimeLimit:
		return InvalidField("timeLimit", "The time limit may be from 0 (none) to %d days.", MaxTimeLimit/(24*time.Hour))
	case !s.Deadline.IsZero() && (s.Deadline.UTC().Year() < 2000 || s.Deadline.UTC().Year() > 2200):
		return InvalidField("deadline", "The deadline is a time from 2000 to 2200.")
	case s.Attempts < 1 || s.Attempts > MaxAttempts:
		return InvalidField("attempts", "From 1 to %d attempts are possible.", MaxAttempts)
	case !(s.PassMark >= 0 && s.PassMark <= 100): // also refuses NaN
		return InvalidField("passMark", "The pass mark is from 0 to 100.")
	case !s.Visible.Valid():
		return InvalidField("visible", "What a candidate sees is nothing, outcome, score or report.")
	case s.RetentionDays < 1 || s.RetentionDays > MaxRetentionDays:
		return InvalidField("retentionDays", "Data can be kept from 1 to %d days.", MaxRetentionDays)
	}
	return s.validateChallenges()
}

func (s Settings) validateChallenges() error {
	if len(s.Challenges) == 0 || len(s.Challenges) > MaxChallenges {
		return InvalidField("challenges", "An assessment has from 1 to %d challenges.", MaxChallenges)
	}
	seen := map[string]bool{}
	for _, c := range s.Challenges {
		switch {
		case c.ChallengeID == "" || c.Version < 1:
			return InvalidField("challenges", "Each challenge needs an id and a version.")
		case seen[c.ChallengeID]:
			return InvalidField("challenges", "%s is in the list twice.", c.ChallengeID)
		case !(c.Weight > 0 && c.Weight <= 1000): // also refuses NaN
			return InvalidField("challenges", "The weight of %s is more than 0 and at most 1000.", c.ChallengeID)
		}
		seen[c.ChallengeID] = true
	}
	return nil
}

// Assessment is a set of challenges for a role, at its newest version.
type Assessment struct {
	ID         ID
	Org        OrgID
	Version    int // from 1
	Settings   Settings
	CreatedBy  ID
	CreatedAt  time.Time
	UpdatedAt  time.Time // when this version was made
	ArchivedAt time.Time // it takes no new invitations; zero: it does
}
