package loggen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

// Options say what log to make.
type Options struct {
	Seed  []byte // any length; 32 bytes of entropy in a grading
	Bytes int64  // wanted size; the log is up to 16 KiB larger a mebibyte, never smaller by more than a byte
	// Workers is how many blocks are made at once; 0 means one a processor, 16 at most.
	Workers int
	// Progress is called with the number of bytes written so far, about once a mebibyte, from one goroutine; may be nil.
	Progress func(done int64)
}

// maxBytes bounds the size of a log, so that all sums stay below 2^53.
const maxBytes = 1 << 40

// validate fills in defaults.
func (o *Options) validate() error {
	if o.Bytes < 0 || o.Bytes > maxBytes {
		return fmt.Errorf("size of %d bytes is out of range (0 to %d)", o.Bytes, int64(maxBytes))
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	o.Workers = min(o.Workers, 16)
	return nil
}

// Generate writes a plain log to w and returns its truth. Memory is bounded by 2·Workers+1 blocks. When ctx ends, it
// stops within a block and returns the cause.
func Generate(ctx context.Context, w io.Writer, o Options) (Truth, error) {
	if err := o.validate(); err != nil {
		return Truth{}, fmt.Errorf("generate log: %w", err)
	}
	l := newLayout(o.Seed, o.Bytes)
	m := newMerger(l)
	err := l.each(ctx, o.Workers, func(b block) error {
		if _, err := w.Write(b.text); err != nil {
			return fmt.Errorf("write log: %w", err)
		}
		m.add(b)
		if o.Progress != nil {
			o.Progress(m.bytes)
		}
		return nil
	})
	if err != nil {
		return Truth{}, fmt.Errorf("generate log: %w", err)
	}
	return m.truth(), nil
}

// GenerateFile writes a plain log to a new file. The file is removed when an error is returned.
func GenerateFile(ctx context.Context, path string, o Options) (Truth, error) {
	return toFile(path, func(w io.Writer) (Truth, error) { return Generate(ctx, w, o) })
}

// toFile lets fill write a new file, and removes it when that fails.
func toFile(path string, fill func(io.Writer) (Truth, error)) (t Truth, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return Truth{}, fmt.Errorf("create log: %w", err)
	}
	defer func() {
		if cerr := f.Close(); cerr != nil && err == nil {
			err = fmt.Errorf("close log: %w", cerr)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	return fill(f)
}

// each makes the blocks on several goroutines and hands them to use in order. The text of a block is valid only
// during its call.
func (l *layout) each(ctx context.Context, workers int, use func(block) error) error {
	ctx, cancel := context.WithCancel(ctx)
	n := len(l.sizes)
	slots := make([]chan block, n)
	for i := range slots {
		slots[i] = make(chan block, 1)
	}
	// A free buffer is the permission to make a block; blocks are claimed in order, so the next one wanted is always
	// among those that hold a buffer.
	free := make(chan []byte, 2*workers)
	for range cap(free) {
		free <- make([]byte, 0, blockBytes+blockBytes/2+lineRoom)
	}
	var claimed atomic.Int64
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range min(workers, n) {
		wg.Go(func() {
			for {
				select {
				case buf := <-free:
					i := int(claimed.Add(1)) - 1
					if i >= n {
						return
					}
					slots[i] <- l.block(i, buf)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	for _, slot := range slots {
		if ctx.Err() != nil { // a ready block must not win over the end of ctx
			return context.Cause(ctx)
		}
		select {
		case b := <-slot:
			if err := use(b); err != nil {
				return err
			}
			free <- b.text
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// merger adds up the truths of blocks.
type merger struct {
	l     *layout
	bytes int64
	sum   tally
}

func newMerger(l *layout) *merger {
	return &merger{l: l, sum: tally{services: make([]Service, len(l.p.services)), hours: make([]int64, l.p.hours)}}
}

func (m *merger) add(b block) {
	m.bytes += int64(len(b.text))
	s, t := &m.sum, &b.tally
	s.lines += t.lines
	s.cps += t.cps
	s.utf16 += t.utf16
	for i, n := range t.bad {
		s.bad[i] += n
	}
	for i := range t.services {
		s.services[i].merge(t.services[i])
	}
	for i, n := range t.hours {
		s.hours[i] += n
	}
	for _, slow := range t.slowest {
		if slowEnough(s.slowest, slow.Ms, slow.ID) {
			s.slowest = insertSlow(s.slowest, slow)
		}
	}
}

// truth gives the sum its final form.
func (m *merger) truth() Truth {
	t := newTruth()
	t.Lines, t.Bytes = m.sum.lines, m.bytes
	t.MsgCodePoints, t.MsgUTF16 = m.sum.cps, m.sum.utf16
	for i, name := range badNames() {
		if n := m.sum.bad[i]; n > 0 {
			t.Bad += n
			t.BadKinds[name] = n
		}
	}
	for i, s := range m.sum.services {
		if s.Count > 0 {
			t.ByService[m.l.p.services[i]] = s
		}
	}
	for i, n := range m.sum.hours {
		if n > 0 {
			t.ByHour[hourKey(m.l.p.start+int64(i)*hourMs)] = n
		}
	}
	t.Slowest = append(t.Slowest, m.sum.slowest...)
	return t
}
