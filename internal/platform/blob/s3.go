package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/assay-run/assay/internal/platform"
)

// S3Options say where a bucket is.
type S3Options struct {
	Endpoint  string // host, with a port where it needs one
	Bucket    string // it exists already
	Region    string
	AccessKey string
	SecretKey string
	Insecure  bool // plain HTTP, for a storage on the same machine
	// Prefix is put before every key, e.g. "assay/"; it may be empty.
	Prefix string
	// TempDir is where a file waits while it is hashed; the system's folder for temporary files unless set.
	TempDir string
	// Transport is http.DefaultTransport's like unless set.
	Transport http.RoundTripper
}

// S3 keeps blobs in a bucket.
type S3 struct {
	client *minio.Core
	opts   S3Options
}

// maxPut is the largest object that S3 takes in one request, which is how they are sent here.
const maxPut = 5 << 30

// OpenS3 makes a store of a bucket, and checks that the bucket is there.
func OpenS3(ctx context.Context, opts S3Options) (*S3, error) {
	client, err := minio.NewCore(opts.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(opts.AccessKey, opts.SecretKey, ""), Secure: !opts.Insecure, Region: opts.Region, Transport: opts.Transport,
	})
	if err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	there, err := client.BucketExists(ctx, opts.Bucket)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", opts.Bucket, err)
	}
	if !there {
		return nil, fmt.Errorf("open bucket %s: it does not exist; create it first", opts.Bucket)
	}
	return &S3{client: client, opts: opts}, nil
}

// Put implements Store. The file waits on disk until all of it is there: an upload that breaks off leaves nothing in the
// bucket, memory stays flat, and a request can be repeated.
func (s *S3) Put(ctx context.Context, key string, r io.Reader, max int64) (_ platform.Blob, err error) {
	if err := CheckKey(key); err != nil {
		return platform.Blob{}, err
	}
	file, err := os.CreateTemp(s.opts.TempDir, "assay-blob-*")
	if err != nil {
		return platform.Blob{}, fmt.Errorf("make temporary file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	in := newIntake(ctx, r, min(max, maxPut))
	if _, err := io.Copy(file, in); err != nil {
		return platform.Blob{}, fmt.Errorf("write file: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return platform.Blob{}, fmt.Errorf("read file again: %w", err)
	}
	_, err = s.client.Client.PutObject(ctx, s.opts.Bucket, s.opts.Prefix+key, file, in.n, minio.PutObjectOptions{
		ContentType: "application/octet-stream", DisableMultipart: true,
	})
	if err != nil {
		return platform.Blob{}, fmt.Errorf("put object: %w", err)
	}
	return in.blob(key), nil
}

// Open implements Store.
func (s *S3) Open(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	if err := CheckKey(key); err != nil {
		return nil, 0, err
	}
	body, info, _, err := s.client.GetObject(ctx, s.opts.Bucket, s.opts.Prefix+key, minio.GetObjectOptions{})
	if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
		return nil, 0, notFound()
	}
	if err != nil {
		return nil, 0, fmt.Errorf("get object: %w", err)
	}
	return body, info.Size, nil
}

// Delete implements Store.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	err := s.client.RemoveObject(ctx, s.opts.Bucket, s.opts.Prefix+key, minio.RemoveObjectOptions{})
	if err != nil && minio.ToErrorResponse(err).Code != minio.NoSuchKey {
		return fmt.Errorf("remove object: %w", err)
	}
	return nil
}

// Walk implements Store.
func (s *S3) Walk(ctx context.Context, prefix string, do func(Info) error) error {
	if err := checkPrefix(prefix); err != nil {
		return err
	}
	list := s.client.Client.ListObjectsIter(ctx, s.opts.Bucket, minio.ListObjectsOptions{Prefix: s.opts.Prefix + prefix, Recursive: true})
	for o := range list {
		if o.Err != nil {
			return fmt.Errorf("list objects: %w", o.Err)
		}
		if err := do(Info{Key: o.Key[len(s.opts.Prefix):], Bytes: o.Size, At: o.LastModified}); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
