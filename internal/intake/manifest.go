package intake

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/assay-run/assay/internal/schemas"
)

// Names of the files that describe a submission.
const (
	manifestFile = "assay.json"
	packageFile  = "package.json"
)

// Bounds of the files that describe a submission.
const (
	maxManifestBytes = 64 << 10
	maxPackageBytes  = 512 << 10
)

// Manifest says how a submission is built and started.
type Manifest struct {
	Challenge string            `json:"challenge"` // id; empty without assay.json
	Form      int               `json:"form"`      // of a challenge that has several; what is made of it is the grader's business
	Node      string            `json:"node"`      // major version asked for; empty for the challenge's
	Build     [][]string        `json:"build"`     // commands, in order; empty when there is nothing to build
	Start     []string          `json:"start"`     // command; Start[0] is node, or a package manager
	Env       map[string]string `json:"env"`
}

// description is what assay.json and package.json say, before it is judged.
type description struct {
	root  *os.Root
	assay *schemas.Document // nil when there is none
	notes []string
	// inferred is the file that the start command was taken from when assay.json does not say.
	inferred string
}

// readManifest reads assay.json, fills in what it leaves open from package.json, and checks the result.
func readManifest(root *os.Root, challenge string) (Manifest, []string, error) {
	d := description{root: root}
	m, err := d.declared()
	if err != nil {
		return m, nil, err
	}
	if challenge != "" && m.Challenge != "" && m.Challenge != challenge {
		return m, nil, d.wrong("set it to \""+challenge+"\", or choose the other challenge", at("challenge"),
			"the submission is for challenge %s, and this is %s", schemas.Quote(m.Challenge), schemas.Quote(challenge))
	}
	if m.Start == nil {
		if m.Start, err = d.inferStart(); err != nil {
			return m, nil, err
		}
	}
	if m.Build == nil {
		if m.Build, err = d.inferBuild(); err != nil {
			return m, nil, err
		}
	}
	if err := d.checkEnv(m); err != nil {
		return m, nil, err
	}
	if err := d.checkBuild(m); err != nil {
		return m, nil, err
	}
	if err := d.checkStart(m); err != nil {
		return m, nil, err
	}
	return m, d.notes, nil
}

func at(steps ...any) []any { return steps }

// declared reads assay.json; a submission without one has the zero Manifest.
func (d *description) declared() (Manifest, error) {
	var m Manifest
	data, err := readSmall(d.root, manifestFile, maxManifestBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, describeFailed(manifestFile, err)
	}
	d.assay, err = schemas.ParseJSON(manifestFile, data)
	if err != nil {
		return m, invalid(err)
	}
	schema, err := schemas.Load(schemas.Assay)
	if err != nil {
		return m, err
	}
	if err := schema.Check(d.assay); err != nil {
		return m, invalid(err)
	}
	wire := struct {
		Manifest
		Schema string `json:"$schema"`
	}{}
	if err := d.assay.Decode(&wire); err != nil {
		return m, err
	}
	return wire.Manifest, nil
}

// describeFailed passes on faults of the submission and explains the others.
func describeFailed(name string, err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	return readFailed(name, err)
}

// invalid wraps the problems of a document. Their text has file, line and column, so the entry is not named again.
func invalid(err error) error {
	return &Error{Rule: err.Error(), Err: err}
}

// wrong reports a mistake in assay.json at path, or without a position when the value does not stand there.
func (d *description) wrong(hint string, path []any, format string, args ...any) error {
	if d.assay == nil || !d.assay.Has(path...) {
		return &Error{Entry: d.inferred, Rule: fmt.Sprintf(format, args...), Hint: hint}
	}
	problem := d.assay.Problem(d.assay.At(path...), format, args...)
	return &Error{Rule: problem.Error(), Hint: hint, Err: schemas.Problems{problem}}
}

func (d *description) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

// exists says whether a regular file of that name was handed in.
func (d *description) exists(name string) bool {
	info, err := d.root.Lstat(name)
	return err == nil && info.Mode().IsRegular()
}

// reservedEnv are variables that the challenge sets.
func reservedEnv(name string) bool {
	return slices.Contains([]string{"PORT", "STATUS_PORT", "DATA_DIR", "HOME", "PATH"}, name) ||
		strings.HasSuffix(name, "_URL") || strings.HasPrefix(name, "ASSAY_")
}

func (d *description) checkEnv(m Manifest) error {
	for name := range m.Env {
		if reservedEnv(name) {
			return d.wrong("leave it out", at("env", name), "%s is set by the challenge", name)
		}
	}
	if options, ok := m.Env["NODE_OPTIONS"]; ok {
		d.note("The submission sets NODE_OPTIONS=%s; it holds beside the options of Assay.", schemas.Quote(options))
	}
	return nil
}

func (d *description) checkBuild(m Manifest) error {
	for i, step := range m.Build {
		switch step[0] {
		case "":
			return d.wrong("name a program, such as npm", at("build", i, 0), "the command is empty")
		case "yarn", "pnpm", "corepack", "bun":
			d.note("Build step %d starts %s, which the image does not have; it has node, npm and npx.", i+1, step[0])
		}
	}
	return nil
}
