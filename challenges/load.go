package challenges

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/schemas"
)

// Manifest is the name of the file that describes a challenge, and Brief of the one that candidates read.
const (
	Manifest = "challenge.yaml"
	Brief    = "brief.md"
)

// maxManifestBytes bounds challenge.yaml.
const maxManifestBytes = 256 << 10

// Kind is what a challenge must know of a workload to be checked.
type Kind struct {
	// Metrics are the numbers that expressions may name.
	Metrics []evidence.MetricDoc
	// Settings is the JSON Schema of the settings; nil when only Check knows them.
	Settings []byte
	// Check validates the settings of a scenario; nil accepts any. An error that has a SettingPath, or several joined ones, says which
	// setting it is about.
	Check func(with map[string]any) error
	// Files are the files of the challenge that the settings name, all of which must be there; nil for a workload without any. Its
	// errors are like those of Check.
	Files func(with map[string]any, files fs.FS) ([]string, error)
	// Lint looks closer at settings that Files has passed, when a challenge is linted; nil for nothing to say. Its errors are like those
	// of Check.
	Lint func(with map[string]any, files fs.FS) error
}

// Kinds are the workloads by name.
type Kinds map[string]Kind

// Load reads and checks the challenge in the folder dir of fsys. A mistake in the challenge is an error of type
// schemas.Problems, which lists all that were found; each names file, line and column.
func Load(fsys fs.FS, dir string, kinds Kinds) (*Challenge, error) {
	l, ch, err := read(fsys, dir, kinds)
	if err != nil {
		return nil, err
	}
	if err := l.problems.OrNil(); err != nil {
		return nil, err
	}
	if ch.Digest, err = digest(l.files, ch); err != nil {
		return nil, err
	}
	return ch, nil
}

// read parses a challenge and notes what is wrong with it. Its error is of what keeps everything else from being looked at.
func read(fsys fs.FS, dir string, kinds Kinds) (*loader, *Challenge, error) {
	for name, kind := range kinds {
		if err := checkMetricNames(kind.Metrics); err != nil {
			return nil, nil, fmt.Errorf("check workload %s: %w", name, err)
		}
	}
	file := path.Join(dir, Manifest)
	data, err := readBounded(fsys, file, maxManifestBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("read challenge: %w", err)
	}
	files, err := fs.Sub(fsys, dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open challenge: %w", err)
	}
	doc, err := schemas.ParseYAML(file, data)
	if err != nil {
		return nil, nil, err
	}
	shape, err := schemas.Compile("challenge.schema.json", schema)
	if err != nil {
		return nil, nil, err
	}
	if err := shape.Check(doc); err != nil {
		return nil, nil, err
	}
	var m manifest
	if err := doc.Decode(&m); err != nil {
		return nil, nil, err
	}
	l := &loader{doc: doc, files: files, kinds: kinds}
	ch := l.challenge(m)
	l.check(ch, path.Base(path.Clean(dir)))
	slices.Sort(l.used)
	ch.Used = slices.Compact(l.used)
	return l, ch, nil
}

// LoadAll loads every challenge of fsys: each folder at its top that has a challenge.yaml. The order is that of the
// folders' names. Its error joins those of all challenges.
func LoadAll(fsys fs.FS, kinds Kinds) ([]*Challenge, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("list challenges: %w", err)
	}
	var out []*Challenge
	var failed []error
	for _, entry := range entries {
		if _, err := fs.Stat(fsys, path.Join(entry.Name(), Manifest)); err != nil {
			continue
		}
		ch, err := Load(fsys, entry.Name(), kinds)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		out = append(out, ch)
	}
	if len(failed) > 0 {
		return nil, errors.Join(failed...)
	}
	return out, nil
}

// readBounded reads a whole file of at most limit bytes.
func readBounded(fsys fs.FS, name string, limit int64) (data []byte, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return data, nil
}
