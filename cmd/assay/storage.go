package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
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
	database string
	blobs    string         // a folder, or s3://BUCKET/PREFIX
	bucket   blob.S3Options // of object storage; without a bucket files are in the folder
	// dir is where both are unless something else is said; empty: ASSAY_DATA_DIR, or nowhere.
	dir string
}

// flags adds the flags that name it.
func (s *storage) flags(c *cobra.Command) {
	c.Flags().StringVar(&s.database, "database", "", "file of SQLite, or postgres:// address (default: ASSAY_DATABASE, or what the file holds that ASSAY_DATABASE_FILE names, else assay.db in ASSAY_DATA_DIR)")
	c.Flags().StringVar(&s.blobs, "blobs", "", "folder for archives and reports, or s3://BUCKET/PREFIX (default: ASSAY_BLOBS, else what ASSAY_S3_… name, else files in ASSAY_DATA_DIR)")
}

// maxSecret bounds a file with a secret, in bytes.
const maxSecret = 64 << 10

// secret is a setting that may be secret: the variable of that name, or the content of the file that NAME_FILE names.
func (a *app) secret(name string) (string, error) {
	if value, ok := a.env(name); ok && value != "" {
		return value, nil
	}
	file, ok := a.env(name + "_FILE")
	if !ok || file == "" {
		return "", nil
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
	return strings.TrimSpace(string(text)), nil
}

// settle completes it from the environment, which names things as `assay serve` has them.
func (s *storage) settle(a *app) (err error) {
	dir := s.dir
	if dir == "" {
		dir, _ = a.env("ASSAY_DATA_DIR")
	}
	if s.database == "" {
		if s.database, err = a.secret("ASSAY_DATABASE"); err != nil {
			return err
		}
	}
	if s.database == "" && dir != "" {
		s.database = filepath.Join(dir, "assay.db")
	}
	if s.blobs == "" {
		s.blobs, _ = a.env("ASSAY_BLOBS")
	}
	if err := s.settleBucket(a); err != nil {
		return err
	}
	if s.blobs == "" && s.bucket.Bucket == "" && dir != "" {
		s.blobs = filepath.Join(dir, "files")
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
func (s *storage) settleBucket(a *app) (err error) {
	endpoint, _ := a.env("ASSAY_S3_ENDPOINT")
	place, named := strings.CutPrefix(s.blobs, "s3://")
	if !named && (s.blobs != "" || endpoint == "") {
		return nil
	}
	b := &s.bucket
	b.Endpoint = endpoint
	b.Region, _ = a.env("ASSAY_S3_REGION")
	insecure, _ := a.env("ASSAY_S3_INSECURE")
	b.Insecure = slices.Contains([]string{"1", "true", "yes", "on"}, strings.ToLower(insecure))
	if b.AccessKey, err = a.secret("ASSAY_S3_ACCESS_KEY"); err != nil {
		return err
	}
	if b.SecretKey, err = a.secret("ASSAY_S3_SECRET_KEY"); err != nil {
		return err
	}
	if named {
		b.Bucket, b.Prefix, _ = strings.Cut(place, "/")
		if b.Prefix != "" && !strings.HasSuffix(b.Prefix, "/") {
			b.Prefix += "/"
		}
	} else {
		b.Bucket, _ = a.env("ASSAY_S3_BUCKET")
		b.Prefix, _ = a.env("ASSAY_S3_PREFIX")
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
	if d.store, err = store.Open(ctx, store.Options{Address: s.database}); err != nil {
		return nil, faultf("See that the database runs and that --database or ASSAY_DATABASE names it.", "%w", err)
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
