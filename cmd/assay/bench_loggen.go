package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/assay-run/assay/graders/loggen"
	"github.com/assay-run/assay/internal/accuracy"
)

const (
	loggenBytes  = 1 << 30
	loggenRounds = 3
)

// benchLoggen makes logs to nowhere and to the folder where gradings keep them, and writes as many ready bytes there.
func (a *app) benchLoggen(ctx context.Context, opts benchOptions, report *accuracy.Report) (err error) {
	d := newDisplay(a.err, a.plain)
	defer d.Done()
	if err := os.MkdirAll(a.cacheDir, 0o755); err != nil {
		return usagef("Choose another folder with --cache.", "make folder for logs: %w", err)
	}
	dir, err := os.MkdirTemp(a.cacheDir, "bench-")
	if err != nil {
		return usagef("Choose another folder with --cache.", "make folder for logs: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	size := int64(loggenBytes)
	if opts.quick {
		size /= 4
	}
	l := &accuracy.Loggen{Bytes: size, Workers: runtime.GOMAXPROCS(0)}
	report.Loggen = l
	rounds := opts.few(1, loggenRounds)
	for i := range rounds {
		d.Update(fmt.Sprintf("logs, round %d of %d", i+1, rounds), 0, 0, "")
		generate := func(w io.Writer, workers int) func() (int64, error) {
			return func() (int64, error) {
				t, err := loggen.Generate(ctx, w, loggen.Options{Seed: []byte("bench"), Bytes: size, Workers: workers})
				return t.Bytes, err
			}
		}
		for _, part := range []struct {
			list *[]float64
			do   func() (int64, error)
		}{
			{&l.OneCore, generate(io.Discard, 1)},
			{&l.All, generate(io.Discard, 0)},
			{&l.ToDisk, toDisk(dir, func(w io.Writer) (int64, error) { return generate(w, 0)() })},
			{&l.Disk, toDisk(dir, func(w io.Writer) (int64, error) { return readyBytes(ctx, w, size) })},
		} {
			speed, err := speedOf(part.do)
			if err != nil {
				return err
			}
			*part.list = append(*part.list, speed)
		}
	}
	return nil
}

// speedOf is in MB/s.
func speedOf(do func() (int64, error)) (float64, error) {
	began := time.Now()
	bytes, err := do()
	return float64(bytes) / 1e6 / time.Since(began).Seconds(), err
}

// toDisk lets fill write a file and waits until the disk has it. The file is removed.
func toDisk(dir string, fill func(io.Writer) (int64, error)) func() (int64, error) {
	return func() (_ int64, err error) {
		name := filepath.Join(dir, "log")
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return 0, fmt.Errorf("create file: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close(), os.Remove(name)) }()
		n, err := fill(f)
		if err != nil {
			return n, err
		}
		return n, f.Sync()
	}
}

// readyBytes writes what no disk can compress, a mebibyte at a time as the generator does.
func readyBytes(ctx context.Context, w io.Writer, size int64) (int64, error) {
	var seed [32]byte
	piece := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8(seed).Read(piece) // never fails, by its documentation
	for done := int64(0); done < size; done += int64(len(piece)) {
		if ctx.Err() != nil {
			return done, context.Cause(ctx)
		}
		if _, err := w.Write(piece); err != nil {
			return done, fmt.Errorf("write ready bytes: %w", err)
		}
	}
	return size, nil
}
