package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/backup"
	"github.com/assay-run/assay/internal/platform/store"
)

type backupOptions struct {
	storage
	to string
}

func (a *app) backupCommand() *cobra.Command {
	var opts backupOptions
	c := &cobra.Command{
		Use:   "backup",
		Short: "Copy an installation of the platform, database and files, into one archive",
		Long: `Copy the database and the files of an installation into one archive, while ` + "`assay serve`" + ` and workers are in use. The
archive is consistent: its rows are those of one moment, and every file that they name is in it. It can be restored into
SQLite or PostgreSQL, whichever it comes from, by this version of assay or a later one.

The archive holds personal data: names, addresses, submissions, reports. It is written for its owner alone (mode 0600) and
not encrypted. The installation's key is not in it, and must be kept too, somewhere else: docs/backup.md.`,
		Example: `  assay backup
  assay backup --data /srv/assay --to /var/backups/assay/
  ASSAY_DATABASE_FILE=/etc/assay/database assay backup --blobs s3://assay/production --to backup.tar.gz`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.backup(cmd.Context(), opts) },
	}
	opts.flags(c)
	c.Flags().StringVar(&opts.to, "to", ".", "archive to write, which must not exist; or the folder for one with the time in its name")
	return c
}

// settleServed is settle for the installation that `assay serve` serves with the same flags and environment.
func (s *storage) settleServed(a *app) error {
	s.settleData(a)
	return s.settle(a)
}

func (a *app) backup(ctx context.Context, opts backupOptions) (err error) {
	if err := opts.settleServed(a); err != nil {
		return err
	}
	now := time.Now()
	to, err := backupName(opts.to, now)
	if err != nil {
		return err
	}
	if _, err := os.Stat(opts.blobs); opts.bucket.Bucket == "" && err != nil {
		return usagef("Name the folder of the installation with --data, or its files with --blobs.", "find files: %w", err)
	}
	s, err := store.OpenAsIs(ctx, store.Options{Address: opts.database})
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("Name the folder of the installation with --data, or its database with --database.", "%w", err)
	}
	if err != nil {
		return faultf("See that the database runs and that --database or ASSAY_DATABASE names it.", "%w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	files, closeFiles, err := opts.openBlobs(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFiles()) }()
	show := newDisplay(a.err, a.plain)
	made, err := backup.Create(ctx, backup.Options{
		Store: s, Blobs: files, To: to, Assay: assayVersion(), Now: time.Now, Progress: progressOn(show),
	})
	show.Done()
	if errors.Is(err, backup.ErrNotEmpty) {
		return usagef("Choose another name with --to.", "%w", err)
	}
	if err != nil {
		return faultf("There is no archive. Mend what is said above, and run it again.", "%w", err)
	}
	return a.backedUp(to, made, opts)
}

// progressOn shows how far a copy is.
func progressOn(show *display) backup.Progress {
	return func(step string, done, total int64) { show.Update(step, done, total, "bytes") }
}

// backupName is the archive's name: as it was given, or by the time in a folder.
func backupName(to string, now time.Time) (string, error) {
	info, err := os.Stat(to)
	switch {
	case err == nil && info.IsDir():
		return filepath.Join(to, "assay-"+now.UTC().Format("20060102-150405")+".tar.gz"), nil
	case err == nil:
		return "", usagef("Choose another name with --to: a backup replaces nothing.", "%s is there already", to)
	case strings.HasSuffix(to, string(filepath.Separator)):
		return "", usagef("Make the folder first.", "there is no folder %s", to)
	}
	if info, err := os.Stat(filepath.Dir(to)); err != nil || !info.IsDir() {
		return "", usagef("Make the folder first.", "there is no folder %s", filepath.Dir(to))
	}
	return to, nil
}

// backedUp says what was made, and what is to be done with it.
func (a *app) backedUp(to string, made backup.Content, opts backupOptions) error {
	size := int64(0)
	if info, err := os.Stat(to); err == nil {
		size = info.Size()
	}
	fmt.Fprintf(a.out, "The backup is %s (%s): %s in %s, %s (%s).\n", to, formatBytes(size), count(int(made.Rows), "row"), count(made.Tables, "table"),
		count(made.Files, "file"), formatBytes(made.FileBytes))
	fmt.Fprintln(a.out, "\n  It holds personal data and is not encrypted: keep it as closely as the installation itself.")
	key := filepath.Join(opts.data, "key")
	if _, err := os.Stat(key); err != nil {
		key = "what ASSAY_KEY or ASSAY_KEY_FILE holds"
	}
	fmt.Fprintf(a.out, "  The installation's key is not in it. Keep a copy of that too, in another place: %s.\n", key)
	fmt.Fprintf(a.out, "  Next: `assay restore --from %s --check` reads it again from end to end.\n", to)
	return a.tellLost(made.Lost, "in the installation")
}

// maxTold bounds how many files are told by name.
const maxTold = 10

// tellLost tells of files that rows name and that are not there. That is a finding, not a failure: the rest is as it should be.
func (a *app) tellLost(lost []backup.Lost, where string) error {
	if len(lost) == 0 {
		return nil
	}
	fmt.Fprintf(a.err, "\n  warning  %s not as they were stored %s; everything else is in order:\n", are(len(lost), "file"), where)
	for _, l := range lost[:min(len(lost), maxTold)] {
		fmt.Fprintf(a.err, "           %s: %s\n", l.Why, l.Key)
	}
	if more := len(lost) - maxTold; more > 0 {
		fmt.Fprintf(a.err, "           and %d more\n", more)
	}
	return errDone
}

// are is a number of things with its verb.
func are(n int, thing string) string {
	if n == 1 {
		return count(n, thing) + " is"
	}
	return count(n, thing) + " are"
}

type restoreOptions struct {
	storage
	from     string
	check    bool
	erasures []string
}

func (a *app) restoreCommand() *cobra.Command {
	var opts restoreOptions
	c := &cobra.Command{
		Use:   "restore",
		Short: "Make an installation of the platform from an archive of `assay backup`",
		Long: `Make an installation from an archive. The database and the place for files must be empty, and nobody may use them meanwhile.
The archive is checked from end to end before anything is written, and when something fails nothing is left.

Afterwards nobody is signed in, gradings that ran are queued again, and candidates whose clock ran get the time since the
backup back. Put the installation's key where it was before ` + "`assay serve`" + ` is started.

An archive that is older than an erasure brings people back. Name with --erasures what knows of the erasures since: the
database that was in use, or a newer archive. They are then erased again, before anybody can look at them.`,
		Example: `  assay restore --from assay-20261126-091500.tar.gz --check
  assay restore --from assay-20261126-091500.tar.gz --data /srv/assay
  assay restore --from old.tar.gz --erasures /srv/assay.broken/assay.db --data /srv/assay
  ASSAY_DATABASE_FILE=/etc/assay/database assay restore --from sqlite.tar.gz --blobs s3://assay/production`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.restore(cmd.Context(), opts) },
	}
	opts.flags(c)
	c.Flags().StringVar(&opts.from, "from", "", "archive to restore")
	c.Flags().BoolVar(&opts.check, "check", false, "only read the archive from end to end and say what is in it")
	c.Flags().StringArrayVar(&opts.erasures, "erasures", nil, "database or newer archive whose erasures are done again; may be given more than once")
	return c
}

func (a *app) restore(ctx context.Context, opts restoreOptions) error {
	if opts.from == "" {
		return usagef("Name one with --from FILE.", "it is not said which archive is to be restored")
	}
	if _, err := os.Stat(opts.from); err != nil {
		return usagef("Name an archive of `assay backup` with --from.", "find archive: %w", err)
	}
	show := newDisplay(a.err, a.plain)
	defer show.Done()
	if opts.check {
		found, err := backup.Check(ctx, opts.from, progressOn(show))
		show.Done()
		if err != nil {
			return archiveError(err)
		}
		fmt.Fprintf(a.out, "The archive is whole: %s in %s, %s (%s), made at %s by assay %s from %s, schema %d.\n", count(int(found.Rows), "row"),
			count(found.Tables, "table"), count(found.Files, "file"), formatBytes(found.FileBytes), found.Header.MadeAt.Format(time.RFC3339),
			found.Header.Assay, found.Header.Database, found.Header.Schema)
		return a.tellLost(found.Lost, "when it was made")
	}
	if err := opts.settleServed(a); err != nil {
		return err
	}
	var again []platform.Erasure
	for _, source := range opts.erasures {
		found, err := backup.Erasures(ctx, source, progressOn(show))
		if err != nil {
			return usagef("Name a database or an archive with --erasures.", "%w", err)
		}
		again = append(again, found...)
	}
	done, err := a.restoreTo(ctx, opts, again, show)
	show.Done()
	if err != nil {
		return archiveError(err)
	}
	return a.restoredAll(done, opts)
}

// restoreTo opens the place and restores into it.
func (a *app) restoreTo(ctx context.Context, opts restoreOptions, again []platform.Erasure, show *display) (_ backup.Restored, err error) {
	if !strings.Contains(opts.database, "://") {
		if err := makeDirs(filepath.Dir(opts.database)); err != nil {
			return backup.Restored{}, err
		}
	}
	files, closeFiles, err := opts.openBlobs(ctx)
	if err != nil {
		return backup.Restored{}, err
	}
	defer func() { err = errors.Join(err, closeFiles()) }()
	return backup.Restore(ctx, backup.RestoreOptions{
		From: opts.from, Database: opts.database, Blobs: files, Again: again, Now: time.Now, Progress: progressOn(show),
	})
}

// archiveError tells what the person can mend from what is a fault of the machine.
func archiveError(err error) error {
	switch {
	case errors.Is(err, backup.ErrDamaged):
		return usagef("Nothing was written. Take another copy of it, or an older backup.", "%w", err)
	case errors.Is(err, backup.ErrNewer):
		return usagef("Nothing was written. Use the version of assay that made it, or a later one.", "%w", err)
	case errors.Is(err, backup.ErrNotEmpty):
		return usagef("Nothing of it was touched. Name an empty place with --data, or with --database and --blobs.", "%w", err)
	}
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		return err
	}
	return faultf("What was written is removed again. Mend what is said above, and run it again.", "%w", err)
}

// restoredAll says what was restored, and what comes next.
func (a *app) restoredAll(done backup.Restored, opts restoreOptions) error {
	fmt.Fprintf(a.out, "Restored as of %s: %s in %s, %s (%s).\n", done.Header.MadeAt.Format(time.RFC3339), count(int(done.Rows), "row"),
		count(done.Tables, "table"), count(done.Files, "file"), formatBytes(done.FileBytes))
	fmt.Fprintf(a.out, "  %s queued again; %s got the time since then back; %s of erased people done again.\n", count(done.Queued, "grading"),
		count(done.Credited, "running attempt"), count(done.ErasedAgain, "erasure"))
	fmt.Fprintln(a.out, "  Nobody is signed in. Passwords, members and API tokens are those of then: take back what was taken back since.")
	if len(opts.erasures) == 0 {
		fmt.Fprintln(a.out, "  Who was erased after the backup is back, unless --erasures names what knows of it: see docs/backup.md.")
	}
	fmt.Fprintf(a.out, "  Next: put the installation's key where it was (%s, or ASSAY_KEY), then start `assay serve`.\n", filepath.Join(opts.data, "key"))
	return a.tellLost(done.Lost, "when the backup was made")
}
