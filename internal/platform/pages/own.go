package pages

import (
	"html/template"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// Invitation is what a candidate sees before the clock runs. Fields of the form: consent ("on").
type Invitation struct {
	Frame
	InvitationID          string
	Assessment, RoleTitle string
	Candidate             string
	Message               string // of the team; lines stay
	Challenges            []InvitedChallenge
	TimeLimit             time.Duration // with the candidate's extra time; 0: none
	ExtraPercent          int
	Deadline              time.Time // zero: none
	Expires               time.Time // of the invitation
	Attempts, Used        int
	PassMark              float64
	Visible               platform.Visibility
	RetentionDays         int
	Contact               string // whom to ask; may be empty
	Form                  Form
}

// InvitedChallenge is what is asked, without the brief.
type InvitedChallenge struct {
	Title, Summary, Level string
	Minutes               int
	Skills                []string
}

// Work is where a candidate works on one task of an attempt. The upload has the fields archive (a file), kind (dry_run
// or final) and sure ("on", for a final one). Errors of a final upload are at finalArchive instead of archive.
type Work struct {
	Frame
	InvitationID string
	Assessment   string
	Candidate    string
	Contact      string // whom to ask; may be empty
	Tasks        []Task
	Task         TaskMatter
	Clock        Countdown
	Server       string // address of this server, for assay submit
	Tools        []Tool
	Form         Form
	Submissions  []Submission // of this task, newest first; dry runs and the final one
	Draft        Draft
	// Waiting says that a grading of this task is not over: the page asks for news.
	Waiting bool
}

// Current finds the number of the task that is shown, from 1.
func (w Work) Current() int {
	for i, t := range w.Tasks {
		if t.ID == w.Task.ID {
			return i + 1
		}
	}
	return 1
}

// AllHandedIn says whether there is a final submission for every task.
func (w Work) AllHandedIn() bool {
	for _, t := range w.Tasks {
		if !t.HandedIn {
			return false
		}
	}
	return len(w.Tasks) > 0
}

// Task is a task in the list of them.
type Task struct {
	ID, Title string
	Minutes   int
	HandedIn  bool
}

// TaskMatter is the task that is shown.
type TaskMatter struct {
	ID, Title, Summary string
	Minutes            int
	Version            int
	// Brief is the task's text as HTML that was made safe; its headings begin at h3.
	Brief    template.HTML
	HandedIn time.Time // the final submission; zero: not yet
	MaxBytes int64     // of an upload
}

// Tool is assay for one kind of machine.
type Tool struct {
	Platform string // e.g. "linux-amd64", part of its path
	Name     string
	Bytes    int64
}

// Countdown is the attempt's clock, as the server has it.
type Countdown struct {
	Ends     time.Time // zero: nothing ends the attempt
	Paused   bool      // it stands, for something of ours is broken
	Extended time.Duration
	Limit    time.Duration // 0: only the deadline ends it
}

// Left is the time that is left at the time of the frame.
func (w Work) Left() time.Duration { return max(0, w.Clock.Ends.Sub(w.Now)) }

// Draft is the candidate's notes on a task.
type Draft struct {
	Body     string
	Revision int64
	SavedAt  time.Time // zero: never
	// Theirs is what was saved elsewhere meanwhile, when a save was refused for it; empty: none was.
	Theirs string
}

// Result is what a candidate sees when an attempt is over, as far as the team lets.
type Result struct {
	Frame
	InvitationID          string
	Assessment, Candidate string
	Contact               string // whom to ask; may be empty
	State                 platform.AttemptState
	Visible               platform.Visibility
	Verdict               platform.Verdict // empty when it may not be seen, or is not there
	Overall               *Figure          // nil when it may not be seen, or is not there
	PassMark              float64
	Submissions           []Submission
	AttemptsLeft          int
	EraseAfter            time.Time // zero: not known yet
	Waiting               bool
}

// Accepted are the submissions that the check at the door let in. What it refused cannot be mended any more.
func (r Result) Accepted() []Submission {
	var out []Submission
	for _, s := range r.Submissions {
		if s.Problem == "" {
			out = append(out, s)
		}
	}
	return out
}

// Withdraw asks whether somebody is sure. Fields: sure ("on"), erase ("on").
type Withdraw struct {
	Frame
	InvitationID          string
	Assessment, Candidate string
	Form                  Form
	Running               bool // an attempt goes on
	RetentionDays         int
	// Ended says that the invitation is over already: what is left to do is to erase. Assessment is not known then.
	Ended bool
}

// Goodbye is the last page for a candidate.
type Goodbye struct {
	Frame
	Assessment string
	Erased     bool // everything is erased; else the candidate has withdrawn and data are kept until KeptUntil
	KeptUntil  time.Time
}
