package grading

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
)

// Names of the files of a stored grading.
const (
	EvidenceFile = "evidence.json.gz"
	ReportFile   = "report.json"
)

// Bounds of what is read back. Evidence is bounded by what runs may produce; these stop a file that is not ours.
const (
	maxEvidenceFile = 256 << 20 // bytes, compressed
	maxEvidence     = 512 << 20 // bytes, unpacked
	maxReport       = 64 << 20  // bytes
)

// Errors of stored gradings. Compare with errors.Is.
var (
	// ErrDigest means that the evidence is not the file that the report was made from.
	ErrDigest = errors.New("evidence does not have the digest that the report names")
	// ErrFormat means that a file is not a stored grading that this version of Assay can read.
	ErrFormat = errors.New("not a stored grading of this version of Assay")
)

// Page is another file of a stored grading, e.g. one for people. Write is called when report.Evidence is known.
type Page struct {
	Name  string
	Write func(io.Writer) error
}

// WriteFiles stores a grading in dir, which is created when missing: evidence.json.gz, report.json and pages. When
// something cannot be written, none is, and a directory that was created is gone again. It fills in report.Evidence. The
// same grading gives the same bytes.
func WriteFiles(dir string, ev *evidence.Grading, report *Report, pages ...Page) (err error) {
	packed, err := packEvidence(ev)
	if err != nil {
		return err
	}
	report.Evidence = EvidenceRef{File: EvidenceFile, Digest: digest(packed)}
	text, err := MarshalReport(report)
	if err != nil {
		return err
	}
	undo, err := makeDir(dir)
	if err != nil {
		return fmt.Errorf("make directory of the grading: %w", err)
	}
	defer func() {
		if err != nil {
			undo()
		}
	}()
	// In the same directory, which may be a file system of its own.
	partial, err := os.MkdirTemp(dir, ".partial-*")
	if err != nil {
		return fmt.Errorf("make directory of the grading: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(partial)) }() // before undo
	bytesOf := func(data []byte) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		}
	}
	files := append([]Page{{EvidenceFile, bytesOf(packed)}}, pages...)
	files = append(files, Page{ReportFile, bytesOf(text)}) // last: where it is, everything is
	for _, f := range files {
		if err := f.create(partial); err != nil {
			return &fs.PathError{Op: "write", Path: filepath.Join(dir, f.Name), Err: err} // the place that was asked for
		}
	}
	for _, f := range files {
		if err := os.Rename(filepath.Join(partial, f.Name), filepath.Join(dir, f.Name)); err != nil {
			return &fs.PathError{Op: "write", Path: filepath.Join(dir, f.Name), Err: err} // the place that was asked for
		}
	}
	return nil
}

// create writes the file into dir, down to the disk.
func (p Page) create(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, p.Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(p.Write(f), f.Chmod(0o644), f.Sync(), f.Close())
}

// makeDir makes dir and those above it, and returns a function that removes the ones that it made if they are empty.
func makeDir(dir string) (undo func(), err error) {
	var made []string // the deepest first
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, d)
	}
	undo = func() {
		for _, d := range made {
			_ = os.Remove(d) // not empty: somebody else uses it
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		undo()
		return nil, err
	}
	return undo, nil
}

// MarshalReport is the stored form of a report: indented JSON with a final newline, the same bytes for the same report.
func MarshalReport(report *Report) ([]byte, error) {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	return append(text, '\n'), nil
}

// ReadEvidence reads a stored grading's evidence. A file of another schema is refused with ErrFormat.
func ReadEvidence(path string) (*evidence.Grading, error) {
	packed, err := readBounded(path, maxEvidenceFile)
	if err != nil {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	return unpackEvidence(packed)
}

// ReadReport reads a stored report. A file of another schema is refused with ErrFormat.
func ReadReport(path string) (*Report, error) {
	text, err := readBounded(path, maxReport)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	return decodeReport(text)
}

// ParseReport reads a stored report that is in memory; the caller bounds it. One of another schema is refused with ErrFormat.
func ParseReport(text []byte) (*Report, error) { return decodeReport(text) }

// ParseEvidence reads evidence.json.gz that is in memory; the caller bounds it, and what it unpacks to is bounded here. One of
// another schema is refused with ErrFormat.
func ParseEvidence(packed []byte) (*evidence.Grading, error) { return unpackEvidence(packed) }

// Recomputed is a stored report beside what its evidence gives today.
type Recomputed struct {
	Stored   *Report
	Evidence *evidence.Grading
	// Report is judged again from the evidence.
	Report *Report
	// Same says that the two reports are the same, byte for byte.
	Same bool
	// OtherChallenge says that the challenge is not the version that was graded, so that a difference is expected.
	OtherChallenge bool
}

// Recompute judges a stored grading again: it reads the report, finds the evidence beside it, checks its digest
// (ErrDigest) and compares what the evidence gives with what was stored.
func Recompute(reportPath string, ch *challenges.Challenge, kinds map[string]graders.Grader) (*Recomputed, error) {
	text, err := readBounded(reportPath, maxReport)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	stored, err := decodeReport(text)
	if err != nil {
		return nil, err
	}
	// Only the name is taken from the report: it does not say where to read on this machine.
	path := filepath.Join(filepath.Dir(reportPath), filepath.Base(stored.Evidence.File))
	packed, err := readBounded(path, maxEvidenceFile)
	if err != nil {
		return nil, fmt.Errorf("read evidence beside the report: %w", err)
	}
	if got := digest(packed); got != stored.Evidence.Digest {
		return nil, fmt.Errorf("check evidence: %w: it has %s, not %s", ErrDigest, got, stored.Evidence.Digest)
	}
	ev, err := unpackEvidence(packed)
	if err != nil {
		return nil, err
	}
	again, err := Judge(ch, kinds, ev)
	if err != nil {
		return nil, err
	}
	again.Evidence = stored.Evidence
	fresh, err := MarshalReport(again)
	if err != nil {
		return nil, err
	}
	return &Recomputed{
		Stored: stored, Evidence: ev, Report: again, Same: bytes.Equal(fresh, text),
		OtherChallenge: ev.Challenge.Version != ch.Version || ev.Challenge.Digest != ch.Digest,
	}, nil
}

// packEvidence is deterministic: gzip without name or time, over JSON whose maps are sorted.
func packEvidence(ev *evidence.Grading) ([]byte, error) {
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	if err := json.NewEncoder(zip).Encode(ev); err != nil {
		return nil, fmt.Errorf("encode evidence: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("pack evidence: %w", err)
	}
	return buf.Bytes(), nil
}

func unpackEvidence(packed []byte) (*evidence.Grading, error) {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack evidence: %w: %w", ErrFormat, err)
	}
	text, err := io.ReadAll(io.LimitReader(zip, maxEvidence+1))
	if err != nil {
		return nil, fmt.Errorf("unpack evidence: %w: %w", ErrFormat, err)
	}
	if len(text) > maxEvidence {
		return nil, fmt.Errorf("unpack evidence: %w: more than %s", ErrFormat, FormatValue(maxEvidence, "bytes"))
	}
	ev := &evidence.Grading{}
	if err := json.Unmarshal(text, ev); err != nil {
		return nil, fmt.Errorf("decode evidence: %w: %w", ErrFormat, err)
	}
	if ev.Schema != evidence.Schema {
		return nil, fmt.Errorf("decode evidence: %w: schema %q instead of %q", ErrFormat, ev.Schema, evidence.Schema)
	}
	return ev, nil
}

func decodeReport(text []byte) (*Report, error) {
	r := &Report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("decode report: %w: %w", ErrFormat, err)
	}
	if r.Schema != ReportSchema {
		return nil, fmt.Errorf("decode report: %w: schema %q instead of %q", ErrFormat, r.Schema, ReportSchema)
	}
	return r, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: %w: larger than %s", filepath.Base(path), ErrFormat, FormatValue(float64(limit), "bytes"))
	}
	return data, nil
}
