package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/assay-run/assay/internal/scratch"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

// serviceRecipe is for images of services what recipe is for those of Node.
const serviceRecipe = "1"

// serviceUser is the name of runner.ServiceUID in the images of services.
const serviceUser = "service"

// cluster is the empty database cluster in the image of PostgreSQL, which each start copies.
const cluster = "usr/local/lib/assay/cluster"

// serviceImage is how the image of a service is made.
type serviceImage struct {
	pkg     string // of Debian
	program string // which must run in the finished image and say its version
	start   string // script
	// prepare changes the unpacked system, from the outside; nil for nothing.
	prepare func(ctx context.Context, m machine, root string) error
	// folders are made empty for the service's user, and entrypoint is what starts the image by itself; of those that the
	// platform's own images have.
	folders    []string
	entrypoint []string
	recipe     string // serviceRecipe unless set
}

func serviceImages() map[string]serviceImage {
	return map[string]serviceImage{
		"postgres": {
			pkg: "postgresql-15", program: "/usr/lib/postgresql/15/bin/postgres", start: startPostgres, prepare: makeCluster,
		},
		"redis": {pkg: "redis-server", program: "/usr/bin/redis-server", start: startRedis},
	}
}

// startPostgres starts PostgreSQL on a fresh copy of the empty cluster. It listens on an abstract socket of the pod's network
// namespace and nowhere else. Everybody in the pod may connect there; the kernel says who it is, and only the driver is let in.
const startPostgres = `#!/bin/sh
set -eu
cp -a /` + cluster + `/. ` + docker.ServiceData + `/
exec /usr/lib/postgresql/15/bin/postgres -D ` + docker.ServiceData + ` -k "@$ASSAY_SOCKET"
`

// startRedis starts Redis on a port of the driver's choice, with one account, the driver's. Arguments could be read by the
// submission, so the settings come on standard input.
const startRedis = `#!/bin/sh
set -eu
exec /usr/bin/redis-server - <<EOF
bind 127.0.0.1
port $ASSAY_PORT
dir ` + docker.ServiceData + `
save ""
appendonly no
user default off
user driver on >$ASSAY_PASSWORD ~* &* +@all
EOF
`

// postgresSettings are for a small server whose data need not survive it. Errors that clients make are not logged.
const postgresSettings = `
listen_addresses = ''
max_connections = 60
shared_buffers = 64MB
dynamic_shared_memory_type = posix
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
min_wal_size = 16MB
max_wal_size = 64MB
jit = off
timezone = 'UTC'
log_min_messages = fatal
`

// makeCluster makes the empty cluster in the unpacked system. The server lets in the driver alone, which is root, as one of two roles.
func makeCluster(ctx context.Context, m machine, root string) error {
	dir := filepath.Join(root, filepath.FromSlash(cluster))
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make folder of cluster: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make folder of cluster: %w", err)
	}
	if err := os.Chown(dir, runner.ServiceUID, runner.ServiceUID); err != nil {
		return fmt.Errorf("make folder of cluster: %w", err)
	}
	who := fmt.Sprintf("--userspec=%d:%d", runner.ServiceUID, runner.ServiceUID)
	_, err := m.Run(ctx, "chroot", who, root, "/usr/lib/postgresql/15/bin/initdb", "-D", "/"+cluster, "-U", "postgres", "-A", "reject",
		"--locale=C", "--encoding=UTF8", "--wal-segsize=1", "--no-sync", "--no-instructions")
	if err != nil {
		return fmt.Errorf("make cluster: %w", err)
	}
	for name, content := range map[string]string{
		"pg_hba.conf":          "local all all peer map=driver\n",
		"pg_ident.conf":        "driver root postgres\ndriver root app\n",
		"postgresql.auto.conf": postgresSettings,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return fmt.Errorf("write settings of cluster: %w", err)
		}
	}
	return nil
}

// ensureService makes the image of a service unless it is there.
func (s *setup) ensureService(ctx context.Context, images imageStore, name string) error {
	ref, err := docker.ServiceImage(name)
	if err != nil {
		return err
	}
	img, err := images.Inspect(ctx, ref)
	switch {
	case err != nil && !errors.Is(err, runner.ErrImageMissing):
		return err
	case err == nil && img.Labels[docker.LabelRecipe] == serviceRecipe && !s.opts.Rebuild:
		s.say("image %s: is there", ref)
		return nil
	case s.opts.CheckOnly:
		return fmt.Errorf("%s: %w; run assay setup --services %s", ref, runner.ErrImageMissing, name)
	}
	return s.makeService(ctx, images, ref, serviceImages()[name])
}

// makeService makes the image from Debian's packages. They are unpacked and not installed, so that nothing of them runs on this machine.
func (s *setup) makeService(ctx context.Context, images imageStore, ref string, from serviceImage) (err error) {
	work, err := scratch.Make(s.opts.WorkDir, "setup")
	if err != nil {
		return fmt.Errorf("make working directory: %w", err)
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	root := filepath.Join(work.Path, "root")
	source, err := s.unpack(ctx, root, from.pkg)
	if err != nil {
		return err
	}
	passwd, group := serviceUsers()
	for name, content := range map[string]string{"etc/passwd": passwd, "etc/group": group} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o644); err != nil {
			return fmt.Errorf("write users: %w", err)
		}
	}
	if from.prepare != nil {
		if err := from.prepare(ctx, s.m, root); err != nil {
			return err
		}
	}
	s.say("image %s: importing", ref)
	err = images.Import(ctx, ref, docker.ImportSpec{
		Env:    map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
		Labels: map[string]string{docker.LabelSource: source, docker.LabelRecipe: cmp.Or(from.recipe, serviceRecipe)},
		User:   fmt.Sprintf("%d:%d", runner.ServiceUID, runner.ServiceUID), Entrypoint: from.entrypoint,
	}, func(w io.Writer) error { return writeServiceRoot(ctx, w, root, from) })
	if err != nil {
		return err
	}
	out, err := images.Output(ctx, ref, from.program, "--version")
	if err != nil {
		return fmt.Errorf("check image %s: %w", ref, err)
	}
	s.say("image %s: %s", ref, strings.TrimSpace(out))
	return nil
}

func serviceUsers() (passwd, group string) {
	passwd = fmt.Sprintf("root:x:0:0:root:/:/usr/sbin/nologin\n%s:x:%d:%d::/tmp:/usr/sbin/nologin\n", serviceUser, runner.ServiceUID, runner.ServiceUID)
	return passwd, fmt.Sprintf("root:x:0:\n%s:x:%d:\n", serviceUser, runner.ServiceUID)
}

// unpack unpacks a minimal system with a package and everything that it depends on below dir, and says what it is made of.
func (s *setup) unpack(ctx context.Context, dir, pkg string) (source string, err error) {
	suite, err := s.debootstrap(ctx, dir, "image of "+pkg, "--foreign", "--include="+pkg)
	if err != nil {
		return "", err
	}
	archives, err := filepath.Glob(filepath.Join(dir, "var/cache/apt/archives/*.deb"))
	if err != nil || len(archives) == 0 {
		return "", fmt.Errorf("unpack %s: there are no packages in %s", pkg, dir)
	}
	// What the system needs is unpacked already, and once more does no harm.
	for _, file := range archives {
		if name, version, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".deb"), "_"); name == pkg {
			version, _, _ = strings.Cut(version, "_")
			source = fmt.Sprintf("debootstrap %s, %s %s", suite, name, strings.ReplaceAll(version, "%3a", ":"))
		}
		const unpack = `dpkg-deb --fsys-tarfile "$1" | tar --extract --keep-directory-symlink --directory "$2"`
		if _, err := s.m.Run(ctx, "sh", "-c", unpack, "sh", file, dir); err != nil {
			return "", fmt.Errorf("unpack %s: %w", filepath.Base(file), err)
		}
	}
	if source == "" {
		return "", fmt.Errorf("unpack %s: it is not among the packages", pkg)
	}
	return source, nil
}

// unneeded says which parts of an unpacked system no service needs.
func unneeded(name string) bool {
	for _, dir := range []string{
		"boot", "debootstrap", "dev", "home", "media", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp", "var",
		"usr/share/i18n", "usr/share/info", "usr/share/locale", "usr/share/perl", "usr/share/perl5", "usr/lib/apt", "usr/lib/x86_64-linux-gnu/perl",
		"usr/lib/aarch64-linux-gnu/perl", "usr/lib/postgresql/15/lib/bitcode",
	} {
		if name == dir || strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	base := path.Base(name)
	for _, start := range []string{"libLLVM", "llvmjit", "libz3.so", "libperl.so"} { // compiling queries is switched off
		if strings.HasPrefix(base, start) {
			return true
		}
	}
	return skipped(name)
}

// writeServiceRoot writes the root file system of a service's image.
func writeServiceRoot(ctx context.Context, w io.Writer, root string, from serviceImage) error {
	l := newLayer(w)
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read system: %w", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rel, err := filepath.Rel(root, file)
		if err != nil || rel == "." {
			return err
		}
		if name := filepath.ToSlash(rel); !unneeded(name) {
			return writeEntry(l, file, name, d)
		}
		if d.IsDir() {
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := writeFile(l, strings.TrimPrefix(docker.ServiceStart, "/"), from.start); err != nil {
		return err
	}
	for _, name := range from.folders {
		if err := writeFolder(l, name, runner.ServiceUID); err != nil {
			return err
		}
	}
	if err := writeDirs(l); err != nil {
		return err
	}
	return l.close()
}
