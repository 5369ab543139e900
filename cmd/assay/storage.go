package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"

	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/queue"
	"github.com/assay-run/assay/internal/platform/store"
)

// storage says where the platform's data are, for every command that works with them.
type storage struct {
	data     string         // folder of an installation, for what is not said otherwise
	database string         // file of SQLite, or postgres://…
	blobs    string         // a folder, or s3://BUCKET/PREFIX
	bucket   blob.S3Options // of object storage; without a bucket files are in the folder
	conns    int            // to the database at most; 0: as many as a server needs
}

// flags adds the flags that name it.
func (s *storage) flags(c *cobra.Command) {
	c.Flags().StringVar(&s.data, "data", "", "folder for database, files and outbox (default: ASSAY_DATA_DIR, else the user's data folder)")
	c.Flags().StringVar(&s.database, "database", "", "file of SQLite, or postgres:// address (default: ASSAY_DATABASE, or what the file holds that ASSAY_DATABASE_FILE names, else assay.db in --data)")
	c.Flags().StringVar(&s.blobs, "blobs", "", "folder for archives and reports, or s3://BUCKET/PREFIX (default: ASSAY_BLOBS, else what ASSAY_S3_… name, else files in --data)")
}

// maxSecret bounds a file with a secret, in bytes.
const maxSecret = 64 << 10

// secret is a setting that may be secret: the variable of that name, or the first line of the file that NAME_FILE names.
func (a *app) secret(name string) (string, error) {
	value, _ := a.env(name)
	file, _ := a.env(name + "_FILE")
	if file == "" {
		return value, nil
	}
	if value != "" {
		return "", usagef("Leave one of them out.", "%s and %s_FILE are both set", name, name)
	}
	return readSecret(file, name+"_FILE")
}

// readSecret reads a file with a secret. setting is what names the file.
func readSecret(file, setting string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", usagef("Let "+setting+" name a file that can be read.", "read secret: %w", err)
	}
	defer f.Close() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", usagef("Let "+setting+" name a file that can be read.", "read secret: %w", err)
	}
	if len(text) > maxSecret {
		return "", usagef("A secret is one line.", "%s is larger than %d bytes", file, maxSecret)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line), nil
}

// settleData completes the folder of an installation.
func (s *storage) settleData(a *app) {
	if s.data == "" {
		s.data, _ = a.env("ASSAY_DATA_DIR")
	}
	if s.data == "" {
		s.data = filepath.Join(a.defaultDir("XDG_DATA_HOME", ".local/share", "/var/lib/assay"), "server")
	}
}

// settle completes it from the environment. A database that is named alone says nothing of the files, which may be on another
// machine: then they have to be named too.
func (s *storage) settle(a *app) (err error) {
	if s.data == "" {
		s.data, _ = a.env("ASSAY_DATA_DIR")
	}
	if s.database == "" {
		if s.database, err = a.secret("ASSAY_DATABASE"); err != nil {
			return err
		}
	}
	if s.blobs == "" {
		s.blobs, _ = a.env("ASSAY_BLOBS")
	}
	if err := s.settleBucket(a); err != nil {
		return err
	}
	if s.database == "" && s.blobs == "" && s.bucket.Bucket == "" {
		s.settleData(a)
	}
	if s.data != "" && s.database == "" {
		s.database = filepath.Join(s.data, "assay.db")
	}
	if s.data != "" && s.blobs == "" && s.bucket.Bucket == "" {
		s.blobs = filepath.Join(s.data, "files")
	}
	switch {
	case s.database == "":
		return usagef("Use --database FILE, --database postgres://…, or set ASSAY_DATABASE or ASSAY_DATA_DIR.", "it is not said where the database is")
	case s.blobs == "" && s.bucket.Bucket == "":
		return usagef("Use --blobs DIR, --blobs s3://BUCKET/PREFIX, or set ASSAY_BLOBS or ASSAY_DATA_DIR.", "it is not said where archives and reports are kept")
	}
	return nil
}

// settleBucket reads what the environment says of object storage, when files are kept there.
func (s *storage) settleBucket(a *app) error {
	v := &variables{app: a}
	endpoint, bucket := v.text("ASSAY_S3_ENDPOINT", ""), v.text("ASSAY_S3_BUCKET", "")
	place, named := strings.CutPrefix(s.blobs, "s3://")
	if !named && (s.blobs != "" || endpoint == "" && bucket == "") {
		return nil
	}
	s.bucket = blob.S3Options{
		Endpoint: endpoint, Bucket: bucket, Prefix: v.text("ASSAY_S3_PREFIX", ""), Region: v.text("ASSAY_S3_REGION", ""),
		Insecure: v.yes("ASSAY_S3_INSECURE", false), AccessKey: v.secret("ASSAY_S3_ACCESS_KEY"), SecretKey: v.secret("ASSAY_S3_SECRET_KEY"),
	}
	if v.err != nil {
		return v.err
	}
	b := &s.bucket
	if named {
		b.Bucket, b.Prefix, _ = strings.Cut(place, "/")
		if b.Prefix != "" && !strings.HasSuffix(b.Prefix, "/") {
			b.Prefix += "/"
		}
	}
	if b.Bucket == "" || b.Endpoint == "" || b.AccessKey == "" || b.SecretKey == "" {
		return usagef("Use --blobs s3://BUCKET/PREFIX or set ASSAY_S3_BUCKET, and set ASSAY_S3_ENDPOINT, ASSAY_S3_ACCESS_KEY and ASSAY_S3_SECRET_KEY (or …_FILE).",
			"it is not said where the bucket is, or who may use it")
	}
	return nil
}

// openStorage are the platform's data, open.
type openStorage struct {
	store *store.Store
	queue *queue.Queue
	blobs blob.Store
	close func() error
}

// open opens the database, brings it to the newest schema, and opens the files. The caller closes it.
func (s *storage) open(ctx context.Context, a *app) (_ *openStorage, err error) {
	d := &openStorage{}
	if !strings.Contains(s.database, "://") {
		if err := makeDirs(filepath.Dir(s.database)); err != nil {
			return nil, err
		}
	}
	if d.store, err = store.Open(ctx, store.Options{Address: s.database, MaxConns: s.conns}); err != nil {
		next := "See that the database runs, and that --database or ASSAY_DATABASE names it."
		if strings.Contains(err.Error(), "disk is full") { // SQLite's words; it has no error number of the system
			next = "Make room on the disk of --data, or choose another folder."
		}
		return nil, faultf(next, "%w", err)
	}
	d.close = d.store.Close
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	// What the job engine says of itself all the time is left out.
	if d.queue, err = queue.Open(ctx, queue.Options{Store: d.store, Log: a.logAt(slog.LevelWarn)}); err != nil {
		return nil, err
	}
	var closeFiles func() error
	if d.blobs, closeFiles, err = s.openBlobs(ctx); err != nil {
		return nil, err
	}
	d.close = func() error { return errors.Join(closeFiles(), d.store.Close()) }
	return d, nil
}

// openBlobs opens the files. The caller calls close.
func (s *storage) openBlobs(ctx context.Context) (_ blob.Store, close func() error, err error) {
	if s.bucket.Bucket != "" {
		bucket, err := blob.OpenS3(ctx, s.bucket)
		if err != nil {
			return nil, nil, faultf("See that the storage runs, and that the bucket exists.", "%w", err)
		}
		return bucket, func() error { return nil }, nil
	}
	files, err := blob.OpenFiles(s.blobs, time.Now())
	if err != nil {
		return nil, nil, usagef("Choose a folder that you can write to with --blobs.", "%w", err)
	}
	return files, files.Close, nil
}

// logAt is the log of what runs for long, from a level on: for people on a terminal, in JSON elsewhere.
func (a *app) logAt(level slog.Level) *slog.Logger {
	if a.verbose {
		level = slog.LevelDebug
	}
	if isTerminal(a.err) {
		return slog.New(tint.NewTextHandler(a.err, &tint.Options{Level: level, NoColor: a.plain}))
	}
	return slog.New(slog.NewJSONHandler(a.err, &slog.HandlerOptions{Level: level}))
}
