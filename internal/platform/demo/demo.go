// Package demo fills a fresh installation with a demo organisation, for looking at its pages: bundled solutions of challenges are
// handed in by people who do not exist and graded as any submission. No figure is invented.
package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/gradework"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/scratch"
)

// Mode is the graders' mode of everything in the demo.
const Mode = "quick"

// Entry is a bundled solution that somebody hands in.
type Entry struct {
	Challenge *challenges.Challenge
	Fixture   string // as in challenge.yaml, e.g. "flawed/whole-readfile"
}

// Options say what is filled in, and how. All are needed.
type Options struct {
	Service *service.Service
	Store   *store.Store
	// Worker grades what is handed in. It is run until nothing is left to do.
	Worker *worker.Worker
	// Owner is who may sign in afterwards.
	Owner service.FirstOwner
	// Entries are handed in. Those of one challenge make an assessment.
	Entries []Entry
	// Progress hears of what has been done, in a line for people.
	Progress func(line string)
}

// people are the names of candidates; none of them is anybody.
func people() []string {
	return []string{
		"Amara Osei", "Jonas Lindqvist", "Mei-Ling Chou", "Tomás Ferreira", "Ines Kováčová", "Ravi Menon", "Saoirse Byrne", "Yusuf Demir",
		"Hana Sato", "Piotr Zieliński", "Leila Haddad", "Marek Novotný", "Oluwaseun Bello", "Freya Sørensen", "Camille Laurent", "Diego Ríos",
	}
}

// Fill fills the installation. One that is set up already gives a platform.Conflict error, and is left as it is.
// When something was not graded, the rest is there and the error says why.
func Fill(ctx context.Context, o Options) (err error) {
	if len(o.Entries) == 0 {
		return errors.New("fill demo: there is nothing to hand in")
	}
	session, err := o.Service.SetUp(ctx, o.Owner)
	if err != nil {
		return err
	}
	owner, err := o.Service.UserActor(ctx, session)
	if err != nil {
		return err
	}
	dir, err := scratch.Make("", "demo")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	d := &demo{Options: o, owner: owner, dir: dir.Path}
	if err := d.handInAll(ctx); err != nil {
		return err
	}
	if err := d.gradeAll(ctx, session.Org); err != nil {
		return err
	}
	if err := d.decideSome(ctx); err != nil {
		return err
	}
	return d.ungraded(ctx, session.Org)
}

// demo is one that is being filled.
type demo struct {
	Options
	owner service.Actor
	dir   string // solutions, written out
	next  int    // of people
	// finals are the attempts of each assessment, in the order of the entries.
	finals []platform.ID
}

// handInAll makes an assessment for each challenge, with one candidate for each entry, one who has begun and one who has
// not.
func (d *demo) handInAll(ctx context.Context) error {
	var order []*challenges.Challenge
	entries := map[string][]Entry{}
	for _, e := range d.Entries {
		if len(entries[e.Challenge.ID]) == 0 {
			order = append(order, e.Challenge)
		}
		entries[e.Challenge.ID] = append(entries[e.Challenge.ID], e)
	}
	for _, ch := range order {
		as, err := d.Service.CreateAssessment(ctx, d.owner, settings(ch))
		if err != nil {
			return fmt.Errorf("make assessment of %s: %w", ch.ID, err)
		}
		for _, e := range entries[ch.ID] {
			if err := d.handIn(ctx, as, e); err != nil {
				return fmt.Errorf("hand in %s of %s: %w", e.Fixture, ch.ID, err)
			}
		}
		begun, _, err := d.invite(ctx, as, "")
		if err != nil {
			return err
		}
		if _, err := d.Service.Start(ctx, begun, 1, service.ConsentVersion); err != nil {
			return err
		}
		if _, _, err := d.invite(ctx, as, ""); err != nil {
			return err
		}
	}
	return nil
}

func settings(ch *challenges.Challenge) platform.Settings {
	return platform.Settings{
		Name: ch.Title, RoleTitle: "Node.js engineer (" + ch.Level + ")", Mode: Mode,
		Message:    "This is a demo: what was handed in are solutions that come with the challenge.",
		Challenges: []platform.AssessmentChallenge{{ChallengeID: ch.ID, Version: ch.Version, Weight: 1}},
		TimeLimit:  time.Duration(ch.Minutes) * time.Minute, Attempts: 1, PassMark: ch.PassMark, Visible: platform.SeesReport, RetentionDays: 180,
	}
}

// invite invites the next person. ref is what the list of candidates shows as reference.
func (d *demo) invite(ctx context.Context, as platform.Assessment, ref string) (service.Actor, platform.Invitation, error) {
	names := people()
	name := names[d.next%len(names)]
	if round := d.next / len(names); round > 0 {
		name = fmt.Sprintf("%s %d", name, round+1)
	}
	d.next++
	made, err := d.Service.Invite(ctx, d.owner, service.NewInvitations{
		AssessmentID: as.ID, Invitees: []platform.Invitee{{Name: name, ExternalRef: ref}},
	})
	if err != nil {
		return service.Actor{}, platform.Invitation{}, fmt.Errorf("invite: %w", err)
	}
	who, err := d.Service.CandidateActor(ctx, made[0].Token)
	return who, made[0].Invitation, err
}

func (d *demo) handIn(ctx context.Context, as platform.Assessment, e Entry) (err error) {
	who, _, err := d.invite(ctx, as, e.Fixture)
	if err != nil {
		return err
	}
	if _, err := d.Service.OpenOwn(ctx, who); err != nil {
		return err
	}
	own, err := d.Service.Start(ctx, who, 1, service.ConsentVersion)
	if err != nil {
		return err
	}
	archive, err := d.archive(ctx, e)
	if err != nil {
		return err
	}
	handed, err := d.Service.Submit(ctx, who, service.Upload{
		ChallengeID: e.Challenge.ID, Kind: platform.Final, FileName: "work.tar.gz", Body: bytes.NewReader(archive), ReceivedAt: own.Now,
	})
	if err != nil {
		return err
	}
	if !handed.Submission.Intake.Accepted {
		return fmt.Errorf("intake refuses a bundled solution: %s", handed.Submission.Intake.Problem)
	}
	d.finals = append(d.finals, handed.Submission.AttemptID)
	return nil
}

// archive is a bundled solution as a candidate would hand it in.
func (d *demo) archive(ctx context.Context, e Entry) (_ []byte, err error) {
	dir := filepath.Join(d.dir, e.Challenge.ID, strings.ReplaceAll(e.Fixture, "/", "-"))
	if err := gradework.WriteSolution(e.Challenge.Files, path.Join("solutions", e.Fixture), dir); err != nil {
		return nil, fmt.Errorf("write solution: %w", err)
	}
	sub, err := intake.Open(ctx, dir, intake.Options{Challenge: e.Challenge.ID})
	if err != nil {
		return nil, fmt.Errorf("open solution: %w", err)
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	var out bytes.Buffer
	if err := sub.Pack(ctx, &out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// lookEvery is how often it is seen whether all is graded.
const lookEvery = 200 * time.Millisecond

// gradeAll runs the worker until every job of the organisation is over.
func (d *demo) gradeAll(ctx context.Context, org platform.OrgID) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	defer context.AfterFunc(ctx, kill)() // whoever ends the command does not wait for gradings
	ended := make(chan error, 1)
	go func() { ended <- d.Worker.Run(working, hard) }()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	said := -1
	for {
		over, all, err := d.count(ctx, org)
		switch {
		case err != nil, ctx.Err() != nil, over == all:
			stop()
			return errors.Join(err, <-ended, context.Cause(ctx))
		case over > said:
			d.Progress(fmt.Sprintf("%d of %d graded", over, all))
			said = over
		}
		select {
		case err := <-ended:
			return errors.Join(errors.New("the worker has ended before all was graded"), err)
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// count tells how many jobs are over, and how many there are.
func (d *demo) count(ctx context.Context, org platform.OrgID) (over, all int, err error) {
	err = d.jobs(ctx, org, func(j platform.Job) {
		all++
		if j.State.Over() {
			over++
		}
	})
	return over, all, err
}

// ungraded is an error that says what was not graded, and why.
func (d *demo) ungraded(ctx context.Context, org platform.OrgID) error {
	var errs []error
	err := d.jobs(ctx, org, func(j platform.Job) {
		if j.State != platform.JobGraded {
			errs = append(errs, fmt.Errorf("a grading of %s is %s: %s", j.ChallengeID, j.State, j.Why))
		}
	})
	return errors.Join(append(errs, err)...)
}

// jobs tells of every job of the organisation.
func (d *demo) jobs(ctx context.Context, org platform.OrgID, tell func(platform.Job)) error {
	var all []platform.Job
	err := d.Store.View(ctx, func(tx *store.Tx) error {
		all = nil
		for ask := (platform.Page{Limit: platform.MaxPage}); ; {
			list, err := tx.Jobs(ctx, org, store.JobFilter{}, ask)
			if err != nil {
				return err
			}
			all = append(all, list.Items...)
			if list.Next == "" {
				return nil
			}
			ask.After = list.Next
		}
	})
	for _, j := range all {
		tell(j)
	}
	return err
}

// decideSome decides on the first attempt that has passed and the first that has not; the others wait for somebody.
func (d *demo) decideSome(ctx context.Context) error {
	reasons := map[platform.Verdict]struct {
		outcome platform.Outcome
		reason  string
	}{
		platform.Passed: {platform.Advance, "Above the pass mark. The questions of the report are for the interview."},
		platform.Below:  {platform.Reject, "Below the pass mark; the report says why."},
	}
	for _, id := range d.finals {
		view, err := d.Service.Attempt(ctx, d.owner, id)
		if err != nil {
			return err
		}
		o := view.Attempt.Overall
		if view.Attempt.State != platform.AttemptReview || o == nil {
			continue
		}
		r, open := reasons[o.Verdict]
		if !open {
			continue
		}
		if _, err := d.Service.Decide(ctx, d.owner, id, r.outcome, r.reason); err != nil {
			return fmt.Errorf("decide: %w", err)
		}
		delete(reasons, o.Verdict)
	}
	return nil
}
