package loggen

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
)

// ExitDamaged is the exit code the contract asks for when the input is cut off or damaged.
const ExitDamaged = 2

// Anomaly is one file of the anomaly pack.
type Anomaly struct {
	ID     string  `json:"id"`    // e.g. "crlf"
	Title  string  `json:"title"` // what is special about it
	Weight float64 `json:"weight"`
	Gzip   bool    `json:"gzip,omitempty"`
	// MultiByte says that much of its text is not ASCII, so that a program that cuts characters apart shows it here.
	MultiByte bool `json:"multiByte,omitempty"`
	// Exit is the exit code to expect: 0, or ExitDamaged with no result.
	Exit int `json:"exit"`

	write func(*pack)
	zip   func(text []byte, rng *rand.Rand) ([]byte, error)
}

// AnomalyFile is an anomaly, written.
type AnomalyFile struct {
	Anomaly
	Path      string // as given
	Bytes     int64  // on disk
	TextBytes int64  // decompressed
	Truth     *Truth // nil when Exit is not 0
}

// AnomalyOptions say how to write the pack.
type AnomalyOptions struct {
	Seed []byte
	// Path names the file of an anomaly, relative to the directory of the pack.
	Path func(a Anomaly) string
	// Progress is called with the bytes written so far; may be nil.
	Progress func(done int64)

	lengths lengths // where tests want lines shorter
}

// AnomalyBytes is about what the pack takes on disk: one line of 300 MiB, and at most 40 MiB of everything else.
const AnomalyBytes = oversizeBytes + 40<<20

// Anomalies writes the pack into a directory. Every offset, order and value comes from the seed. On an error, what was
// written stays behind; the caller owns the directory.
func Anomalies(ctx context.Context, dir string, o AnomalyOptions) ([]AnomalyFile, error) {
	var files []AnomalyFile
	done := int64(0)
	if o.lengths == (lengths{}) {
		o.lengths = lengths{long: longBytes, oversize: oversizeBytes}
	}
	for i, a := range anomalies() {
		rng := rand.New(stream(o.Seed, "anomaly", uint64(i)))
		path := filepath.Join(dir, o.Path(a))
		file, err := writeAnomaly(ctx, path, a, rng, o.lengths)
		if err != nil {
			return nil, fmt.Errorf("write anomaly %s: %w", a.ID, err)
		}
		files = append(files, file)
		done += file.Bytes
		if o.Progress != nil {
			o.Progress(done)
		}
	}
	return files, nil
}

// writeAnomaly writes one file.
func writeAnomaly(ctx context.Context, path string, a Anomaly, rng *rand.Rand, n lengths) (AnomalyFile, error) {
	file := AnomalyFile{Anomaly: a, Path: path}
	truth, err := toFile(path, func(w io.Writer) (Truth, error) {
		counted := &countingWriter{w: w}
		defer func() { file.Bytes = counted.n }()
		if a.zip == nil {
			return fillPack(ctx, counted, a, rng, n)
		}
		return zipPack(ctx, counted, a, rng)
	})
	if err != nil {
		return AnomalyFile{}, err
	}
	file.TextBytes = truth.Bytes
	if a.Exit == 0 {
		file.Truth = &truth
	}
	return file, nil
}

func fillPack(ctx context.Context, w io.Writer, a Anomaly, rng *rand.Rand, n lengths) (Truth, error) {
	p := newPack(ctx, w, rng)
	p.lengths = n
	a.write(p)
	return p.close()
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// anomalies is the pack. The order is fixed: the place in the list is part of the seed of a file.
func anomalies() []Anomaly {
	return []Anomaly{
		{ID: "long-lines", Title: "Three valid lines of 10 MB", Weight: 2, MultiByte: true, write: longLines},
		{ID: "oversize", Title: "One line of 300 MiB between ordinary ones", Weight: 2, write: oversize},
		{ID: "utf8-boundaries", Title: "Characters that lie across every chunk boundary", Weight: 2, MultiByte: true, write: utf8Boundaries},
		{ID: "utf8-dense", Title: "Nothing but multi-byte text, joined emoji, combining marks", Weight: 1, MultiByte: true, write: utf8Dense},
		{ID: "crlf", Title: "CRLF, with CR and LF in different chunks", Weight: 1, write: crlf},
		{ID: "separators", Title: "Lone CR, U+2028 and other things that end no line", Weight: 1, write: separators},
		{ID: "no-final-newline", Title: "No newline at the end", Weight: 1, write: noFinalNewline},
		{ID: "empty", Title: "An empty file", Weight: 1, write: func(*pack) {}},
		{ID: "one-line", Title: "One line and nothing else", Weight: 1, write: oneLine},
		{ID: "only-bad", Title: "Malformed JSON only", Weight: 1, write: onlyBad},
		{ID: "blank-lines", Title: "Blank lines in every form", Weight: 1, write: blankLines},
		{ID: "bom", Title: "A byte-order mark", Weight: 1, write: byteOrderMark},
		{ID: "control", Title: "NUL bytes and control characters", Weight: 1, write: control},
		{ID: "invalid-utf8", Title: "Bytes that are not UTF-8", Weight: 1, write: invalidUTF8},
		{ID: "odd-json", Title: "Valid JSON in unusual forms", Weight: 1, write: oddJSON},
		{ID: "wrong-types", Title: "Valid JSON that is no log line", Weight: 1, write: wrongTypes},
		{ID: "names", Title: "Service names like __proto__, ties that a locale would order differently", Weight: 1, write: hostileNames},
		{ID: "gz-members", Title: "Gzip of several members, cut within lines", Weight: 1, Gzip: true, MultiByte: true, write: mixedText, zip: zipMembers},
		{ID: "gz-truncated", Title: "Gzip that is cut off", Weight: 1, Gzip: true, Exit: ExitDamaged, write: mixedText, zip: zipTruncated},
		{ID: "gz-damaged", Title: "Gzip with a wrong check sum", Weight: 1, Gzip: true, Exit: ExitDamaged, write: mixedText, zip: zipDamaged},
	}
}
