package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/gradework"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/auth"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/demo"
	"github.com/assay-run/assay/internal/platform/seal"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/scratch"
)

type seedOptions struct {
	storage
	challenges []string
	only       string
	reports    string
	email      string
}

func (a *app) seedDemoCommand() *cobra.Command {
	opts := seedOptions{only: everyFixture}
	c := &cobra.Command{
		Use:   "seed-demo",
		Short: "Fill a fresh installation with a demo organisation, to look at its pages",
		Long: `Fill a fresh installation with a demo organisation: an assessment for each challenge, and candidates who do not exist and who
hand in the challenge's bundled solutions. These are graded here in mode quick, as any submission; that takes one or two
minutes each. With --reports gradings that were made before are taken instead, after they were judged again from their
evidence: what ` + "`assay validate --out DIR`" + ` has kept. No figure is invented.

The password of the owner is ASSAY_DEMO_PASSWORD (or the content of the file that ASSAY_DEMO_PASSWORD_FILE names); without
one it is drawn and shown once.`,
		Example: `  assay seed-demo --data demo && assay serve --data demo
  assay validate log-aggregate --out reports && assay seed-demo --data demo --reports reports`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.seedDemo(cmd.Context(), opts) },
	}
	opts.flags(c)
	c.Flags().StringSliceVar(&opts.challenges, "challenge", []string{"log-aggregate"}, "challenges to fill in; several are separated by commas")
	c.Flags().StringVar(&opts.only, "only", opts.only, "comma-separated patterns of solutions, e.g. 'reference,flawed/*'")
	c.Flags().StringVar(&opts.reports, "reports", "", "folder with gradings that were made before")
	c.Flags().StringVar(&opts.email, "email", "owner@demo.example", "who signs in as the owner")
	return c
}

// seedDemo fills the demo.
func (a *app) seedDemo(ctx context.Context, opts seedOptions) (err error) {
	if err := opts.settle(a); err != nil {
		return err
	}
	all, entries, err := a.demoEntries(opts)
	if err != nil {
		return err
	}
	log := a.logAt(slog.LevelWarn)
	graded, slots, entries, err := a.demoGrader(ctx, opts, all, entries, log)
	if err != nil {
		return err
	}
	password, drawn, err := a.demoPassword()
	if err != nil {
		return err
	}
	d, err := opts.open(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	s, err := demoService(d, all)
	if err != nil {
		return err
	}
	w, err := worker.New(worker.Options{
		Store: d.store, Queue: d.queue, Blobs: d.blobs, Grader: graded, Log: log, Name: "seed-demo", Version: assayVersion(), Slots: slots,
		Ended: service.GradingMoved,
	})
	if err != nil {
		return err
	}
	err = demo.Fill(ctx, demo.Options{
		Service: s, Store: d.store, Worker: w, Entries: entries,
		Owner:    service.FirstOwner{Organization: "Demo", Name: "Demo Owner", Email: opts.email, Password: password},
		Progress: func(line string) { fmt.Fprintf(a.err, "  %s\n", line) },
	})
	if platform.ErrorCode(err) == platform.Conflict {
		return usagef("Choose a fresh folder with --data: nothing of what is there is touched.", "there is an organisation already")
	}
	if platform.ErrorCode(err) == platform.Invalid {
		return usagef("Set ASSAY_DEMO_PASSWORD to a longer one, or --email to an address.", "%s", platform.ErrorMessage(err))
	}
	if done, asked := s.IsSetUp(context.WithoutCancel(ctx)); asked != nil || !done {
		return errors.Join(err, asked)
	}
	if drawn {
		fmt.Fprintf(a.out, "The owner is %s with the password %s\n", opts.email, password)
	}
	if ctx.Err() != nil {
		fmt.Fprintln(a.err, "What was graded stays; what was not waits in the queue of the demo: `assay serve` with the same data goes on with it.")
	}
	if err != nil {
		return faultf("What is there can be looked at: `assay serve` with the same --data. Or begin anew with another one.", "%w", err)
	}
	fmt.Fprintf(a.out, "The demo is filled. Look at it with `assay serve` and the same data, and sign in as %s.\n", opts.email)
	return nil
}

// demoGrader is what grades the demo, for how many at once, and the entries that it can grade.
func (a *app) demoGrader(ctx context.Context, opts seedOptions, all []*challenges.Challenge, entries []demo.Entry, log *slog.Logger) (worker.Grader, int, []demo.Entry, error) {
	if opts.reports != "" {
		stored, err := demo.OpenStored(opts.reports, all, gradersByName())
		if err != nil {
			return nil, 0, nil, usagef("Give the folder that `assay validate --out` has filled, with these challenges.", "%w", err)
		}
		entries, err = storedEntries(ctx, stored, entries)
		return stored, 1, entries, err
	}
	if err := a.readyToGrade(ctx, all); err != nil {
		return nil, 0, nil, err
	}
	g, slots, err := a.gradeHere(all, log)
	return g, slots, entries, err
}

// demoEntries are the challenges that are asked for, and their bundled solutions that match.
func (a *app) demoEntries(opts seedOptions) (all []*challenges.Challenge, entries []demo.Entry, err error) {
	for _, id := range opts.challenges {
		ch, err := a.challenge(id)
		if err != nil {
			return nil, nil, err
		}
		if _, ok := ch.Modes[demo.Mode]; !ok {
			return nil, nil, unknownMode(ch, demo.Mode)
		}
		all = append(all, ch)
		for _, f := range ch.Fixtures {
			if matchesAny(opts.only, f.Name) {
				entries = append(entries, demo.Entry{Challenge: ch, Fixture: f.Name})
			}
		}
	}
	if len(entries) == 0 {
		return nil, nil, usagef("See the fixtures in challenge.yaml.", "no bundled solution matches %q", opts.only)
	}
	return all, entries, nil
}

// storedEntries are those that there is a grading of.
func storedEntries(ctx context.Context, stored *demo.Stored, entries []demo.Entry) (_ []demo.Entry, err error) {
	dir, err := scratch.Make("", "demo")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	var there []demo.Entry
	for _, e := range entries {
		to := filepath.Join(dir.Path, e.Challenge.ID, strings.ReplaceAll(e.Fixture, "/", "-"))
		if err := gradework.WriteSolution(e.Challenge.Files, path.Join("solutions", e.Fixture), to); err != nil {
			return nil, fmt.Errorf("write solution %s: %w", e.Fixture, err)
		}
		sub, err := intake.Open(ctx, to, intake.Options{})
		if err != nil {
			return nil, fmt.Errorf("open bundled %s: %s", e.Fixture, err.Error())
		}
		if stored.Has(e.Challenge.ID, demo.Mode, sub.Digest) {
			there = append(there, e)
		}
		if err := sub.Close(); err != nil {
			return nil, err
		}
	}
	if len(there) == 0 {
		return nil, usagef("Make some with `assay validate --mode quick --out DIR`.", "the folder has no grading of a bundled solution in mode %s", demo.Mode)
	}
	return there, nil
}

// demoPassword is the one that is set, or one that is drawn.
func (a *app) demoPassword() (password string, drawn bool, err error) {
	if password, err = a.secret("ASSAY_DEMO_PASSWORD"); err != nil || password != "" {
		return password, false, err
	}
	return strings.ToLower(rand.Text()), true, nil
}

// demoService is the service without what a demo has no use for: nothing is sealed in it, so its keys last as long as the
// command.
func demoService(d *openStorage, all []*challenges.Challenge) (*service.Service, error) {
	key := make([]byte, seal.KeyBytes)
	_, _ = rand.Read(key) // never fails, by its documentation
	box, err := seal.New(key)
	if err != nil {
		return nil, err
	}
	passwords, err := auth.NewPasswords(auth.DefaultCost(), runtime.NumCPU())
	if err != nil {
		return nil, err
	}
	return service.New(service.Options{
		Store: d.store, Blobs: d.blobs, Queue: d.queue, Challenges: all, Passwords: passwords, Sealer: box, ResetKey: key,
		EraseFolder: func(ctx context.Context, prefix string) (int, error) { return blob.Erase(ctx, d.blobs, prefix) },
	})
}
