package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
)

// BenchmarkClaim claims from a queue of 10,000 jobs of 50 organisations, on SQLite.
func BenchmarkClaim(b *testing.B) {
	s, err := store.Open(b.Context(), store.Options{Address: filepath.Join(b.TempDir(), "assay.db")})
	require.NoError(b, err)
	b.Cleanup(func() { _ = s.Close() })
	benchClaim(b, s)
}

func benchClaim(b *testing.B, s *store.Store) {
	b.Helper()
	fillQueue(b, s, 50, 200)
	for b.Loop() {
		require.NoError(b, s.Tx(b.Context(), func(tx *store.Tx) error {
			j, err := tx.Claim(b.Context(), "wrk_1", time.Hour)
			if err == nil && j == nil {
				return fmt.Errorf("the queue is empty after %d claims", b.N)
			}
			return err
		}))
	}
}

// BenchmarkPlace asks for the place of a job in such a queue.
func BenchmarkPlace(b *testing.B) {
	s, err := store.Open(b.Context(), store.Options{Address: filepath.Join(b.TempDir(), "assay.db")})
	require.NoError(b, err)
	b.Cleanup(func() { _ = s.Close() })
	org, job := fillQueue(b, s, 50, 200)
	for b.Loop() {
		require.NoError(b, s.View(b.Context(), func(tx *store.Tx) error {
			_, err := tx.Place(b.Context(), org, job)
			return err
		}))
	}
}

// fillQueue hands in one submission for each of several organisations and copies its job. It returns the last one.
func fillQueue(b *testing.B, s *store.Store, orgs, each int) (org platform.OrgID, job platform.ID) {
	b.Helper()
	ctx := b.Context()
	for i := range orgs {
		require.NoError(b, s.Tx(ctx, func(tx *store.Tx) error {
			o, err := tx.CreateOrganization(ctx, fmt.Sprint("Organisation ", i))
			if err != nil {
				return err
			}
			as, err := tx.CreateAssessment(ctx, o.ID, "usr_1", storetest.Settings())
			if err != nil {
				return err
			}
			in, err := tx.Invite(ctx, o.ID, store.Invite{AssessmentID: as.ID, Invitees: []platform.Invitee{{Name: "Ada"}}, ExpiresAt: tx.Now().Add(time.Hour)})
			if err != nil {
				return err
			}
			a, _, err := tx.StartAttempt(ctx, o.ID, in[0].Invitation.ID, 1, "2026-11")
			if err != nil {
				return err
			}
			out, err := tx.Submit(ctx, o.ID, store.HandIn{
				AttemptID: a.ID, ChallengeID: "log-aggregate", Kind: platform.DryRun, DryRunMode: "quick", ReceivedAt: tx.Now(), Intake: platform.Intake{Accepted: true},
			})
			if err != nil {
				return err
			}
			org, job = o.ID, out.Job.ID
			for n := range each - 1 {
				_, err := tx.SQL().ExecContext(ctx, `INSERT INTO jobs (org_id, id, submission_id, attempt_id, candidate_id, challenge_id, kind, priority, mode, state,
					max_tries, lap, run_after, created_at) SELECT org_id, id || $3, submission_id, attempt_id, candidate_id, challenge_id, kind, priority, mode, state,
					max_tries, lap + $4, run_after, created_at FROM jobs WHERE org_id = $1 AND id = $2`, o.ID, job, fmt.Sprint(".", n), n+1)
				if err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return org, job
}
