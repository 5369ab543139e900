package scalebench

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// challenge is what everything here is handed in for.
const challenge = "log-aggregate"

// installation is one that a bench fills.
type installation struct {
	store *store.Store
	owner platform.ID
	home  platform.OrgID // of the owner
}

// setUp makes the first owner. It refuses an installation that somebody has set up already.
func setUp(ctx context.Context, s *store.Store, passwordHash string) (*installation, error) {
	in := &installation{store: s}
	err := s.Tx(ctx, func(tx *store.Tx) error {
		org, owner, err := tx.SetUp(ctx, "Bench", platform.User{Email: ownerEmail, Name: "Olga Owner", PasswordHash: passwordHash})
		in.home, in.owner = org.ID, owner.ID
		return err
	})
	if platform.ErrorCode(err) == platform.Conflict {
		return nil, fmt.Errorf("the database is in use: a bench needs an empty one: %w", err)
	}
	return in, err
}

const ownerEmail = "owner@bench.example"

// settings are those of an assessment of one challenge.
func settings(name string) platform.Settings {
	return platform.Settings{
		Name: name, RoleTitle: "Backend engineer", Mode: "quick", TimeLimit: 8 * time.Hour, Attempts: 1, PassMark: 60, Visible: platform.SeesReport,
		RetentionDays: 30, Challenges: []platform.AssessmentChallenge{{ChallengeID: challenge, Version: 1, Weight: 1}},
	}
}

// working is a candidate who has begun.
type working struct {
	org        platform.OrgID
	invitation platform.ID
	attempt    platform.ID
	token      string
}

// organisation makes an organisation with candidates who have begun.
func (in *installation) organisation(ctx context.Context, name string, candidates int) ([]working, error) {
	var org platform.OrgID
	err := in.store.Tx(ctx, func(tx *store.Tx) error {
		o, err := tx.CreateOrganization(ctx, name)
		org = o.ID
		return err
	})
	if err != nil {
		return nil, err
	}
	_, out, err := in.candidates(ctx, org, candidates)
	return out, err
}

// batch is how many candidates are made in a transaction.
const batch = 100

// candidates makes an assessment in an organisation, with candidates who have begun.
func (in *installation) candidates(ctx context.Context, org platform.OrgID, n int) (as platform.Assessment, out []working, err error) {
	err = in.store.Tx(ctx, func(tx *store.Tx) (err error) {
		as, err = tx.CreateAssessment(ctx, org, in.owner, settings("Backend"))
		return err
	})
	for err == nil && len(out) < n {
		var made []working
		made, err = in.begin(ctx, as, len(out), min(batch, n-len(out)))
		out = append(out, made...)
	}
	if err != nil {
		return as, nil, fmt.Errorf("fill installation: %w", err)
	}
	return as, out, nil
}

func (in *installation) begin(ctx context.Context, as platform.Assessment, from, n int) (out []working, err error) {
	var who []platform.Invitee
	for i := range n {
		name := fmt.Sprintf("Candidate %d", from+i+1)
		who = append(who, platform.Invitee{Name: name, Email: strings.ReplaceAll(strings.ToLower(name), " ", "") + "@people.example"})
	}
	err = in.store.Tx(ctx, func(tx *store.Tx) error {
		out = nil
		made, err := tx.Invite(ctx, as.Org, store.Invite{AssessmentID: as.ID, Invitees: who, ExpiresAt: tx.Now().AddDate(0, 0, 7), By: in.owner})
		if err != nil {
			return err
		}
		for _, m := range made {
			if _, err := tx.OpenInvitation(ctx, as.Org, m.Invitation.ID); err != nil {
				return err
			}
			t, _, err := tx.StartAttempt(ctx, as.Org, m.Invitation.ID, 1, "1")
			if err != nil {
				return err
			}
			out = append(out, working{as.Org, m.Invitation.ID, t.ID, m.Token})
		}
		return nil
	})
	return out, err
}

// share is how many submissions each of two or more organisations has: the first has largest, each of the others fewer than the one before it.
func share(submissions, organisations, largest int) []int {
	out := make([]int, organisations)
	out[0] = largest
	left := submissions - largest
	for i := 1; i < organisations; i++ {
		rest := organisations - i // shares of rest, rest - 1, … 1 parts
		out[i] = max(1, 2*left/(rest+1))
		left -= out[i]
	}
	return out
}

// each does something for every item, so many at once, and stops at the first error.
func each[T any](ctx context.Context, list []T, atOnce int, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan T)
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for item := range next {
				if err := do(ctx, item); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, item := range list {
		select {
		case next <- item:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}
