package setup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

// Images of the platform. docker-compose.yml names them.
const (
	// PlatformImage has the assay binary and certificates: server and workers.
	PlatformImage = "assay/platform:local"
	// PlatformPostgres keeps the platform's data. It takes the variables of the official image that docker-compose.yml uses.
	PlatformPostgres = "assay/platform-postgres:15"
)

// platformRecipe is for the platform's images what recipe is for those of Node.
const platformRecipe = "1"

// postgresVolume is where the database lies in its image, and belongs to the user that the server runs as: an empty volume that is
// mounted there takes the owner over.
const postgresVolume = "/var/lib/postgresql/data"

// startPlatformPostgres makes the cluster at the first start, beside its place, so that one that was interrupted is made anew.
// Passwords are asked of everybody; the one of the owner comes from a file.
const startPlatformPostgres = `#!/bin/sh
set -eu
bin=/usr/lib/postgresql/15/bin
data="${PGDATA:-` + postgresVolume + `/cluster}"
user="${POSTGRES_USER:-postgres}"
if [ ! -s "$data/PG_VERSION" ]; then
	rm -rf "$data.partial"
	"$bin/initdb" -D "$data.partial" -U "$user" --pwfile="$POSTGRES_PASSWORD_FILE" -A scram-sha-256 \
		--locale=C.UTF-8 --encoding=UTF8 --no-instructions
	echo 'host all all all scram-sha-256' >> "$data.partial/pg_hba.conf"
	if [ "${POSTGRES_DB:-postgres}" != postgres ]; then
		printf 'CREATE DATABASE "%s";\n' "$POSTGRES_DB" | "$bin/postgres" --single -D "$data.partial" postgres > /dev/null
	fi
	mv "$data.partial" "$data"
fi
exec "$bin/postgres" -D "$data" -c listen_addresses='*' -c unix_socket_directories=''
`

// ensurePlatform makes the platform's images: that of the binary whenever the binary is another one, that of the database
// unless it is there.
func (s *setup) ensurePlatform(ctx context.Context, images imageStore) error {
	if err := s.ensureBinary(ctx, images); err != nil {
		return fmt.Errorf("set up image of the platform: %w", err)
	}
	there, err := s.platformIsThere(ctx, images, PlatformPostgres, "")
	if err != nil || there {
		return err
	}
	from := serviceImages()["postgres"]
	from.start, from.prepare = startPlatformPostgres, nil
	from.folders, from.entrypoint, from.recipe = []string{postgresVolume[1:]}, []string{"/bin/sh", docker.ServiceStart}, platformRecipe
	if err := s.makeService(ctx, images, PlatformPostgres, from); err != nil {
		return fmt.Errorf("set up image of the platform's database: %w", err)
	}
	return nil
}

// platformIsThere says whether an image is as it would be made; source is what it is made of, empty for any.
func (s *setup) platformIsThere(ctx context.Context, images imageStore, ref, source string) (bool, error) {
	img, err := images.Inspect(ctx, ref)
	switch {
	case err != nil && !errors.Is(err, runner.ErrImageMissing):
		return false, err
	case err == nil && img.Labels[docker.LabelRecipe] == platformRecipe && !s.opts.Rebuild &&
		(source == "" || img.Labels[docker.LabelSource] == source):
		s.say("image %s: is there", ref)
		return true, nil
	case s.opts.CheckOnly:
		return false, fmt.Errorf("%s: %w; run assay setup --platform", ref, runner.ErrImageMissing)
	}
	return false, nil
}

// ensureBinary makes the image of server and workers.
func (s *setup) ensureBinary(ctx context.Context, images imageStore) (err error) {
	if err := docker.SelfContained(s.opts.Platform); err != nil {
		return err
	}
	bin, err := os.Open(s.opts.Platform)
	if err != nil {
		return fmt.Errorf("open binary: %w", err)
	}
	defer bin.Close() // only read
	hash := sha256.New()
	size, err := io.Copy(hash, bin)
	if err != nil {
		return fmt.Errorf("read binary: %w", err)
	}
	source := "assay sha256:" + hex.EncodeToString(hash.Sum(nil))
	there, err := s.platformIsThere(ctx, images, PlatformImage, source)
	if err != nil || there {
		return err
	}
	certificates, err := s.certificates()
	if err != nil {
		return err
	}
	if _, err := bin.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read binary again: %w", err)
	}
	s.say("image %s: importing", PlatformImage)
	err = images.Import(ctx, PlatformImage, docker.ImportSpec{
		Env:        map[string]string{"PATH": "/usr/local/bin", "LANG": "C.UTF-8", "HOME": "/tmp"},
		Labels:     map[string]string{docker.LabelSource: source, docker.LabelRecipe: platformRecipe},
		Entrypoint: []string{"/" + platformBinary},
	}, func(w io.Writer) error {
		return writePlatformRoot(w, io.LimitReader(bin, size), size, string(certificates))
	})
	if err != nil {
		return err
	}
	out, err := images.Output(ctx, PlatformImage, "/"+platformBinary, "--version")
	if err != nil {
		return fmt.Errorf("check image %s: %w", PlatformImage, err)
	}
	s.say("image %s: %s", PlatformImage, firstLine(out))
	return nil
}

// certificates are the authorities that this machine trusts, a company's own among them.
func (s *setup) certificates() ([]byte, error) {
	for _, name := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"} {
		if text, err := s.m.ReadFile(name); err == nil && len(text) > 0 {
			return text, nil
		}
	}
	return nil, errors.New("this machine has no list of certificate authorities: install the package ca-certificates")
}

// platformBinary is where assay lies in its image.
const platformBinary = "usr/local/bin/assay"

// writePlatformRoot writes the root file system of server and workers: the binary, certificates and the folders that
// things are mounted on.
func writePlatformRoot(w io.Writer, bin io.Reader, size int64, certificates string) error {
	l := newLayer(w)
	for _, f := range []struct{ name, content string }{
		{"etc/passwd", "root:x:0:0:root:/tmp:/usr/sbin/nologin\n"},
		{"etc/group", "root:x:0:\n"},
		{"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
		{"etc/ssl/certs/ca-certificates.crt", certificates},
	} {
		if err := writeFile(l, f.name, f.content); err != nil {
			return err
		}
	}
	for _, name := range []string{"var/cache/assay", "var/lib/assay", "srv/assay", "srv/assay/files"} {
		if err := writeFolder(l, name, 0); err != nil {
			return err
		}
	}
	if err := l.begin(&tar.Header{Typeflag: tar.TypeReg, Name: platformBinary, Mode: 0o755, Size: size}); err != nil {
		return fmt.Errorf("write binary: %w", err)
	}
	if _, err := io.Copy(l.tw, bin); err != nil {
		return fmt.Errorf("write binary: %w", err)
	}
	if err := writeDirs(l); err != nil {
		return err
	}
	return l.close()
}

// writeFolder writes an empty folder that its owner alone may use.
func writeFolder(l *layer, name string, owner int) error {
	if err := l.begin(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o700, Uid: owner, Gid: owner}); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
