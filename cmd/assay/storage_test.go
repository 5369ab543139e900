package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/setup"
)

func TestStorageSettings(t *testing.T) {
	t.Parallel()
	keys := map[string]string{"ASSAY_S3_ENDPOINT": "s3.example", "ASSAY_S3_ACCESS_KEY": "a", "ASSAY_S3_SECRET_KEY": "s", "ASSAY_S3_REGION": "eu"}
	with := func(more map[string]string) map[string]string {
		all := map[string]string{}
		for k, v := range keys {
			all[k] = v
		}
		for k, v := range more {
			all[k] = v
		}
		return all
	}
	bucket := func(name, prefix string) blob.S3Options {
		return blob.S3Options{Endpoint: "s3.example", Bucket: name, Prefix: prefix, Region: "eu", AccessKey: "a", SecretKey: "s"}
	}
	for _, tt := range []struct {
		name string
		set  storage
		env  map[string]string
		want storage
		says string
	}{
		{"flags", storage{database: "a.db", blobs: "files"}, map[string]string{"ASSAY_DATA_DIR": "/srv", "ASSAY_BLOBS": "x", "ASSAY_DATABASE": "y"}, storage{data: "/srv", database: "a.db", blobs: "files"}, ""},
		{"environment", storage{}, map[string]string{"ASSAY_BLOBS": "x", "ASSAY_DATABASE": "postgres://db/assay"}, storage{database: "postgres://db/assay", blobs: "x"}, ""},
		{"the server's folder", storage{}, map[string]string{"ASSAY_DATA_DIR": "/srv"}, storage{data: "/srv", database: "/srv/assay.db", blobs: "/srv/files"}, ""},
		{"a person's folder", storage{}, map[string]string{"XDG_DATA_HOME": "/home/p/.data"}, storage{
			data: "/home/p/.data/assay/server", database: "/home/p/.data/assay/server/assay.db", blobs: "/home/p/.data/assay/server/files",
		}, ""},
		{"a bucket", storage{database: "a.db", blobs: "s3://assay/demo"}, keys, storage{database: "a.db", blobs: "s3://assay/demo", bucket: bucket("assay", "demo/")}, ""},
		{"the server's bucket", storage{database: "a.db"}, with(map[string]string{"ASSAY_S3_BUCKET": "assay", "ASSAY_S3_PREFIX": "p/", "ASSAY_DATA_DIR": "/srv"}), storage{data: "/srv", database: "a.db", bucket: bucket("assay", "p/")}, ""},
		{"a folder beside a bucket", storage{database: "a.db", blobs: "files"}, with(map[string]string{"ASSAY_S3_BUCKET": "assay"}), storage{database: "a.db", blobs: "files"}, ""},
		{"no database", storage{blobs: "files"}, nil, storage{}, "where the database is"},
		{"no files", storage{database: "a.db"}, nil, storage{}, "where archives and reports are kept"},
		{"a bucket without keys", storage{database: "a.db", blobs: "s3://assay"}, nil, storage{}, "who may use it"},
		{"no bucket", storage{database: "a.db", blobs: "s3://"}, keys, storage{}, "where the bucket is"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.set.settle(&app{env: func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok }})
			if tt.says != "" {
				require.ErrorContains(t, err, tt.says)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, tt.set)
		})
	}
}

// docker-compose.yml names images that set-up makes, commands and secrets that there are, and gives a worker the time to drain.
func TestCompose(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docker-compose.yml")
	require.NoError(t, err)
	var file struct {
		Services map[string]struct {
			Image       string            `yaml:"image"`
			Command     []string          `yaml:"command"`
			Secrets     []string          `yaml:"secrets"`
			Volumes     []string          `yaml:"volumes"`
			Networks    []string          `yaml:"networks"`
			Environment map[string]string `yaml:"environment"`
			Grace       string            `yaml:"stop_grace_period"`
		} `yaml:"services"`
		Volumes  map[string]any `yaml:"volumes"`
		Networks map[string]any `yaml:"networks"`
		Secrets  map[string]any `yaml:"secrets"`
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	deploy, err := os.ReadFile("../../docs/deploy.md")
	require.NoError(t, err)
	for name := range file.Secrets {
		assert.Contains(t, string(deploy), "secrets/"+name, "somebody has to make it")
	}
	workers := 0
	for name, s := range file.Services {
		assert.Contains(t, []string{setup.PlatformImage, "${ASSAY_POSTGRES_IMAGE:-" + setup.PlatformPostgres + "}"}, s.Image, name)
		for _, secret := range s.Secrets {
			assert.Contains(t, file.Secrets, secret, name)
		}
		for _, network := range s.Networks {
			assert.Contains(t, file.Networks, network, name)
		}
		for _, volume := range s.Volumes {
			from, _, _ := strings.Cut(volume, ":")
			if !filepath.IsAbs(from) && !strings.HasPrefix(from, "./") {
				assert.Contains(t, file.Volumes, from, name)
			}
		}
		for variable, value := range s.Environment {
			if secret, ok := strings.CutPrefix(value, "/run/secrets/"); ok {
				assert.Contains(t, s.Secrets, secret, "%s: %s", name, variable)
			}
		}
		if !slices.Equal(s.Command, []string{"worker"}) {
			continue
		}
		workers++
		grace, err := time.ParseDuration(s.Grace)
		require.NoError(t, err)
		assert.Greater(t, grace, defaultDrain, name)
		assert.Equal(t, name, s.Environment["ASSAY_WORKER_NAME"])
		settings := storage{}
		read := map[string]string{}
		for k, v := range s.Environment {
			read[k] = v
		}
		read["ASSAY_DATABASE_FILE"] = "" // it is in the container
		settings.database = "postgres://database/assay"
		require.NoError(t, settings.settle(&app{env: func(name string) (string, bool) { v, ok := read[name]; return v, ok }}))
		assert.Contains(t, s.Volumes, "files:"+settings.blobs, "what the worker writes is what the server reads")
		for _, place := range []string{read["ASSAY_CACHE"], read["ASSAY_STATE"], "/tmp/assay-slots", "/var/run/docker.sock"} {
			assert.Contains(t, s.Volumes, place+":"+place, "%s: the same path inside and outside", name)
		}
	}
	assert.Equal(t, 2, workers)
}
