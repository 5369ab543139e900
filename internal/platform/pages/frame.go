package pages

import (
	"maps"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// Section is the part of the team's pages that a page belongs to; the head marks it.
type Section string

// The sections, named like their routes.
const (
	SectionHome     Section = "home"
	SectionWorkers  Section = "workers"
	SectionPeople   Section = "people"
	SectionTokens   Section = "tokens"
	SectionWebhooks Section = "webhooks"
	SectionAudit    Section = "audit"
)

// Frame is what every page has around its matter.
type Frame struct {
	Now  time.Time      // of the server; what "3 minutes ago" counts from
	Zone *time.Location // in which times are written; nil: UTC. The script shows them in the browser's own.
	Org  string         // name of the organisation
	// Several says that the reader belongs to other organisations too.
	Several bool
	User    string        // name of who is signed in; empty: nobody, or a candidate
	Role    platform.Role // of who is signed in
	// Section is marked in the head.
	Section Section
	// Notice says what was just done, e.g. after a redirect; from Pages.Text. Empty: nothing.
	Notice string
}

// framed is a page's model, as functions of templates see it.
type framed interface {
	now() time.Time
	zone() *time.Location
	role() platform.Role
	section() Section
}

func (f Frame) now() time.Time      { return f.Now }
func (f Frame) role() platform.Role { return f.Role }
func (f Frame) section() Section    { return f.Section }

func (f Frame) zone() *time.Location {
	if f.Zone == nil {
		return time.UTC
	}
	return f.Zone
}

// Form is a form as it was sent, with what is wrong in it. The zero Form is an empty one.
type Form struct {
	Values map[string]string // by the field's name
	Errors map[string]string // by the field's name, as sentences; "" is about the whole
	// Order is that of the fields on the page, in which errors are listed; those that are not in it come last.
	Order []string
}

// value is what was sent for a field.
func (f Form) value(name string) string { return f.Values[name] }

// problem is an error with the field that it links to.
type problem struct{ Field, Message string }

// wrong lists the errors for the summary, the whole form's first.
func (f Form) wrong() []problem {
	var out []problem
	names := append([]string{""}, f.Order...)
	for _, name := range slices.Sorted(maps.Keys(f.Errors)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if m := f.Errors[name]; m != "" {
			out = append(out, problem{name, oneLine(sentence(m))})
		}
	}
	return out
}

// Figure is a score with its interval, 0…100.
type Figure struct{ Score, Low, High float64 }

// Wait says why a grading waits.
type Wait string

// The reasons to wait.
const (
	WaitTurn    Wait = "turn"    // others come first
	WaitBusy    Wait = "busy"    // it is next, and every slot is taken
	WaitWorkers Wait = "workers" // no worker is there
	WaitRetry   Wait = "retry"   // something of ours was broken; it is tried again
)

// Place is a grading's place in the queue.
type Place struct {
	Ahead int // gradings that come before it
	Why   Wait
	// StartsIn is an estimate; 0: none can be given.
	StartsIn time.Duration
}
