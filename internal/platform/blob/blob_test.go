package blob_test

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/blob/blobtest"
)

func openFiles(t *testing.T, dir string) *blob.Files {
	t.Helper()
	f, err := blob.OpenFiles(dir, time.Now())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f
}

func TestFiles(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t *testing.T) blob.Store { return openFiles(t, filepath.Join(t.TempDir(), "made", "here")) })
}

func TestFilesStayInside(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	f := openFiles(t, dir)
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "way")))
	_, _, err := f.Open(t.Context(), "way/secret")
	require.Error(t, err, "a link does not lead out")
	_, err = f.Put(t.Context(), "way/new", strings.NewReader("x"), 10)
	require.Error(t, err)
	assert.NoFileExists(t, filepath.Join(outside, "new"))
	require.NoError(t, f.Walk(t.Context(), "", func(i blob.Info) error {
		t.Errorf("walked to %s", i.Key)
		return nil
	}))
}

func TestFilesSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openFiles(t, dir)
	old, fresh := filepath.Join(dir, ".partial", "old"), filepath.Join(dir, ".partial", "fresh")
	for _, name := range []string{old, fresh} {
		require.NoError(t, os.WriteFile(name, []byte("half"), 0o600))
	}
	yesterday := time.Now().Add(-25 * time.Hour)
	require.NoError(t, os.Chtimes(old, yesterday, yesterday))
	openFiles(t, dir)
	assert.NoFileExists(t, old)
	assert.FileExists(t, fresh, "somebody may be writing it")
}

func TestS3(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t *testing.T) blob.Store { return openS3(t, "assay/data/") })
}

func TestS3Faults(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(newFakeS3())
	t.Cleanup(server.Close)
	opts := s3Options(t, server, "")
	opts.Bucket = "other"
	_, err := blob.OpenS3(t.Context(), opts)
	require.ErrorContains(t, err, "it does not exist")
	opts.Bucket, opts.AccessKey = "files", "wrong"
	_, err = blob.OpenS3(t.Context(), opts)
	require.Error(t, err)
	s, err := blob.OpenS3(t.Context(), s3Options(t, server, ""))
	require.NoError(t, err)
	_, err = s.Put(t.Context(), "a", strings.NewReader("x"), 10)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = s.Open(ctx, "a")
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(s3Options(t, server, "").TempDir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func openS3(t *testing.T, prefix string) *blob.S3 {
	t.Helper()
	server := httptest.NewTLSServer(newFakeS3())
	t.Cleanup(server.Close)
	opts := s3Options(t, server, prefix)
	s, err := blob.OpenS3(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		left, err := os.ReadDir(opts.TempDir)
		assert.NoError(t, err)
		assert.Empty(t, left, "no temporary file is left")
	})
	return s
}

func s3Options(t *testing.T, server *httptest.Server, prefix string) blob.S3Options {
	t.Helper()
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	return blob.S3Options{
		Endpoint: u.Host, Bucket: "files", Region: "eu-test-1", AccessKey: "access", SecretKey: "secret", Prefix: prefix, TempDir: t.TempDir(),
		Transport: server.Client().Transport,
	}
}

// fakeS3 is as much of S3 as these tests need: one bucket, addressed by path; PUT in one request, GET, DELETE and version
// 2 of the list, two keys a page so that paging is used. It looks at the access key and not at signatures, and knows no
// multipart uploads, versions, ranges, delimiters or conditions. A real server is what it does not replace.
type fakeS3 struct {
	mu      sync.Mutex
	objects map[string]fakeObject
}

type fakeObject struct {
	data []byte
	at   time.Time
}

func newFakeS3() *fakeS3 { return &fakeS3{objects: map[string]fakeObject{}} }

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case !strings.Contains(r.Header.Get("Authorization"), "Credential=access/"):
		fail(w, http.StatusForbidden, "InvalidAccessKeyId")
	case bucket != "files":
		fail(w, http.StatusNotFound, "NoSuchBucket")
	case key == "" && r.Method == http.MethodHead:
		w.WriteHeader(http.StatusOK)
	case key == "" && r.Method == http.MethodGet && r.URL.Query().Get("list-type") == "2":
		f.list(w, r.URL.Query())
	case key != "" && r.Method == http.MethodPut && r.URL.RawQuery == "":
		f.put(w, r, key)
	case key != "" && r.Method == http.MethodGet:
		f.get(w, key)
	case key != "" && r.Method == http.MethodDelete:
		f.mu.Lock()
		delete(f.objects, key)
		f.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	default:
		fail(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func (f *fakeS3) put(w http.ResponseWriter, r *http.Request, key string) {
	data, err := io.ReadAll(r.Body)
	if err != nil || int64(len(data)) != r.ContentLength || strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		fail(w, http.StatusBadRequest, "IncompleteBody")
		return
	}
	f.mu.Lock()
	f.objects[key] = fakeObject{data, time.Now()}
	f.mu.Unlock()
	w.Header().Set("ETag", `"etag"`)
}

func (f *fakeS3) get(w http.ResponseWriter, key string) {
	f.mu.Lock()
	o, ok := f.objects[key]
	f.mu.Unlock()
	if !ok {
		fail(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	w.Header().Set("Last-Modified", o.at.UTC().Format(http.TimeFormat))
	w.Header().Set("ETag", `"etag"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(o.data)))
	_, _ = w.Write(o.data)
}

func (f *fakeS3) list(w http.ResponseWriter, q url.Values) {
	type content struct {
		Key          string
		LastModified time.Time
		Size         int
	}
	out := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string
		Contents              []content
	}{}
	f.mu.Lock()
	defer f.mu.Unlock()
	var keys []string
	for key := range f.objects {
		if strings.HasPrefix(key, q.Get("prefix")) && key > q.Get("continuation-token") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	const pageSize = 2
	if len(keys) > pageSize {
		keys = keys[:pageSize]
		out.IsTruncated, out.NextContinuationToken = true, keys[pageSize-1]
	}
	for _, key := range keys {
		out.Contents = append(out.Contents, content{key, f.objects[key].at.UTC(), len(f.objects[key].data)})
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(out)
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
	}{Code: code})
}
