package pages

import (
	"math"
	"net/url"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// Assessment is an assessment with its candidates.
type Assessment struct {
	Frame
	ID, Name, RoleTitle string
	Challenges          []ChallengeName
	TimeLimit           time.Duration // 0: none
	Deadline            time.Time     // zero: none
	PassMark            float64
	Archived            bool
	Counts              []StageCount
	Filter              CandidateFilter
	Rows                []CandidateRow
	More                string // query of the next page, e.g. "after=…&sort=name"; empty: this is the last
}

// ChallengeName is a challenge at a version.
type ChallengeName struct {
	ID, Title string
	Version   int
	Minutes   int
	Weight    float64
}

// StageCount is how many candidates stand somewhere.
type StageCount struct {
	Stage platform.Stage
	Count int
}

// CandidateFilter is what the list is narrowed to, as it was sent. Fields: stage, verdict, decision, q, min, sort.
type CandidateFilter struct{ Form Form }

// Stages are those that can be filtered for.
func (Assessment) Stages() []platform.Stage { return platform.Stages() }

// Sorts are the orders of the list.
func (Assessment) Sorts() []platform.OverviewSort {
	return []platform.OverviewSort{platform.ByInvited, platform.ByHandedIn, platform.ByScore, platform.ByName}
}

// Narrowed says whether the list is filtered, so that candidates may be missing from it.
func (a Assessment) Narrowed() bool {
	return slices.ContainsFunc(narrowing(), func(field string) bool { return a.Filter.Form.Values[field] != "" })
}

// Export is the query of an export of what the list shows, e.g. "?stage=review&sort=name".
func (a Assessment) Export() string {
	q := url.Values{}
	for _, name := range append(narrowing(), "sort") {
		if value := a.Filter.Form.Values[name]; value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func narrowing() []string { return []string{"q", "stage", "verdict", "decision", "min"} }

// CandidateRow is a candidate in the list.
type CandidateRow struct {
	InvitationID string
	AttemptID    string // empty before the first
	Name, Email  string
	Stage        platform.Stage
	Verdict      platform.Verdict // empty: none yet
	Overall      *Figure          // nil: none, or withheld
	Decision     platform.Outcome // empty: none
	Headline     string           // what stands out
	HandedIn     time.Time
	ExtraPercent int
	// Left is the time that is left of a running attempt; HasLeft is false when nothing ends it.
	Left    time.Duration
	HasLeft bool
	Expires time.Time // of an invitation that nobody has begun
	// Graded of Gradings are over; Place is that of the first that waits, nil when none does.
	Graded, Gradings int
	Place            *Place
}

// Comparable says whether the row can be put beside others.
func (r CandidateRow) Comparable() bool {
	return r.AttemptID != "" && (r.Stage == platform.StageReview || r.Stage == platform.StageDecided)
}

// AssessmentForm makes or changes an assessment. Fields: name, roleTitle, message, mode, deadline (local date and time
// in the reader's zone), timeLimit (minutes), attempts, passMark, visible, retentionDays; for each challenge c:
// use.c ("on"), weight.c, mode.c.
type AssessmentForm struct {
	Frame
	ID         string // empty: a new one
	Version    int    // that the form is based on, sent along
	Form       Form
	Challenges []ChallengeChoice
	Modes      []ModeChoice
	// Running is how many attempts go on under the settings that were: a change does not touch them.
	Running int
}

// ChallengeChoice is a challenge that may be part of an assessment.
type ChallengeChoice struct {
	ID, Title, Summary string
	Level              string
	Version, Minutes   int
	Skills             []string
}

// ModeChoice is a mode of the graders.
type ModeChoice struct {
	ID, Title string
	Official  bool
}

// Visibilities are what a candidate may be let see.
func (AssessmentForm) Visibilities() []platform.Visibility {
	return []platform.Visibility{platform.SeesReport, platform.SeesScore, platform.SeesOutcome, platform.SeesNothing}
}

// Invite invites one person or a list. Fields: name, email, externalRef, extraPercent; and the file csv.
type Invite struct {
	Frame
	AssessmentID, Assessment string
	Form                     Form
	Deadline                 time.Time // of the assessment; zero: none
	Expires                  time.Time // when links that are made now end
	Mailed                   bool      // links are sent by mail; otherwise they must be handed over
	// Links are those that were just made, shown once.
	Links []InviteLink
	// Lines are what was wrong in a file. When there are any, nobody of the file was invited.
	Lines []LineError
	Read  int // lines of the file, without its head
}

// InviteLink is a new invitation.
type InviteLink struct{ Name, Email, Link string }

// LineError is what is wrong in a line of a file, from 1, its head included.
type LineError struct {
	Line    int
	Column  string
	Message string
}

// Compare puts candidates side by side. Only results on the same version of a challenge are in one table.
type Compare struct {
	Frame
	AssessmentID, Assessment string
	PassMark                 float64
	Candidates               []Compared
	Skills                   []ComparedRow // of all challenges together; 0…100 of what was assessed
	Challenges               []ComparedChallenge
	// LeftOut are names of who was chosen and has no result on these versions.
	LeftOut []string
}

// Compared is a candidate of the comparison.
type Compared struct {
	InvitationID, Name string
	Overall            *Figure // nil: withheld, or not complete
	Verdict            platform.Verdict
}

// ComparedChallenge is one version of a challenge.
type ComparedChallenge struct {
	Title   string
	Version int
	Rows    []ComparedRow
}

// ComparedRow is a skill or a criterion, with a cell for each candidate.
type ComparedRow struct {
	Title  string
	Weight float64 // points of the criterion; 0: not shown
	Cells  []*Figure
	// Apart says that at least two candidates differ by something that matters, and that their intervals do not touch.
	Apart bool
}

// Same says that nobody differs: each cell has the same interval.
func (r ComparedRow) Same() bool {
	for _, c := range r.Cells {
		if c == nil || intervalText(*c) != intervalText(*r.Cells[0]) {
			return false
		}
	}
	return len(r.Cells) > 1
}

// CloseBy is from which difference on, of 100, figures are not called close: intervals say how sure a figure is, not whether
// it matters.
const CloseBy = 5

// Close says that nobody is far from anybody, whether intervals touch or not.
func (r ComparedRow) Close() bool {
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range r.Cells {
		if c == nil {
			return false
		}
		low, high = min(low, c.Score), max(high, c.Score)
	}
	return len(r.Cells) > 1 && high-low < CloseBy
}

// Candidate is one candidate's way through an assessment, for the team.
type Candidate struct {
	Frame
	InvitationID                   string
	AssessmentID, Assessment       string
	Name, Email, Reference         string
	Stage                          platform.Stage
	Verdict                        platform.Verdict
	Overall                        *Figure
	PassMark                       float64
	Decision                       *Decision // newest; nil: none
	Timeline                       []TimelineEntry
	Submissions                    []Submission
	Challenges                     []CandidateChallenge
	Left                           time.Duration
	HasLeft, Paused                bool
	Ends                           time.Time
	ExtraPercent                   int
	EraseAfter                     time.Time
	MayExtend, MayDecide, MayErase bool // by state and role
	MayUndecide                    bool
	MayGive                        bool // all attempts are used, and the invitation is open
	MayChange                      bool // the details, where the role allows it
	MayRevoke                      bool
	MayLink                        bool   // nobody has begun yet, so that a new link can be made
	Link                           string // a new link, shown once
	Extend, Decide                 Form   // fields: minutes, extendReason; outcome, reason
	Details                        Form   // fields: name, email, externalRef, extraPercent
}

// CandidateChallenge is what counts on one challenge.
type CandidateChallenge struct {
	Title        string
	SubmissionID string // of the final one; empty: nothing was handed in
	Verdict      platform.Verdict
	Figure       *Figure
	PassMark     float64
	Headline     string
	Codes        []string
	HasReport    bool
	MayRegrade   bool
}

// TimelineEntry is something that happened. Key is a text "timeline.<Key>".
type TimelineEntry struct {
	At     time.Time
	Key    Happening
	By     string // who, where it was somebody of the team
	Detail string
	Reason string // of a decision
}

// Happening is a kind of entry of a timeline.
type Happening string

// The happenings.
const (
	HappenedInvited   Happening = "invited"
	HappenedOpened    Happening = "opened"
	HappenedStarted   Happening = "started"
	HappenedDryRun    Happening = "dryrun"
	HappenedFinal     Happening = "final"
	HappenedGraded    Happening = "graded"
	HappenedExtended  Happening = "extended"
	HappenedPaused    Happening = "paused"
	HappenedResumed   Happening = "resumed"
	HappenedEnded     Happening = "ended"
	HappenedRegraded  Happening = "regraded"
	HappenedDecided   Happening = "decided"
	HappenedWithdrawn Happening = "withdrawn"
	HappenedRevoked   Happening = "revoked"
)

// Submission is something that was handed in, with its grading.
type Submission struct {
	ID        string
	Challenge string
	Kind      platform.SubmissionKind
	At        time.Time
	Files     int
	Bytes     int64
	Problem   string // why the check at the door refused it; empty: accepted
	Notes     []string
	State     platform.JobState // empty: no grading
	Place     *Place            // of one that waits
	Progress  string            // of one that runs
	Share     int               // of the way, in percent; < 0: not known
	Figure    *Figure
	PassMark  float64
	Verdict   platform.Verdict
	Headline  string
	HasReport bool
	MayCancel bool
}

// Decision is what the team has decided.
type Decision struct {
	Outcome platform.Outcome
	Reason  string
	By      string
	At      time.Time
}

// Outcomes are those that can be decided for.
func (Candidate) Outcomes() []platform.Outcome {
	return []platform.Outcome{platform.Advance, platform.Hold, platform.Reject}
}
