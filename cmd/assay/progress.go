package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/assay-run/assay/internal/report"
)

// isTerminal says whether somebody watches w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalWidth is the width of w in columns, 80 when it is not a terminal.
func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 20 {
			return width
		}
	}
	return 80
}

// plainEvery is how often a long step writes a line when nobody can see a line move.
const plainEvery = 5 * time.Second

// display shows how far long work is: one moving line on a terminal, plain lines elsewhere. Methods may be called from
// several goroutines.
type display struct {
	mu      sync.Mutex
	out     io.Writer
	moving  bool
	width   int
	now     func() time.Time
	current step
	drawn   bool
	last    time.Time // of the last line written for the current step
}

// step is one piece of long work.
type step struct {
	title   string
	started time.Time
	first   int64 // done when it began, so that the rate is that of this step alone
	done    int64
	total   int64
	unit    string
}

func newDisplay(out io.Writer, plain bool) *display {
	return &display{out: out, moving: !plain && isTerminal(out), width: terminalWidth(out), now: time.Now}
}

// Say writes a line of its own.
func (d *display) Say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.erase()
	fmt.Fprintf(d.out, format+"\n", args...)
	d.draw()
}

// Update shows that the step with this title is done to that part; total 0 means that the end is not known.
func (d *display) Update(title string, done, total int64, unit string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if title != d.current.title {
		d.finish()
		d.current = step{title: title, started: now, first: done}
		d.last = now
		if !d.moving {
			fmt.Fprintf(d.out, "  %s\n", report.Visible(title))
		}
	}
	d.current.done, d.current.total, d.current.unit = done, total, unit
	every := plainEvery
	if d.moving {
		every = 100 * time.Millisecond
	}
	if now.Sub(d.last) < every && (d.drawn || !d.moving) {
		return
	}
	d.last = now
	if d.moving {
		d.erase()
		d.draw()
		return
	}
	fmt.Fprintf(d.out, "  %s\n", d.line())
}

// Done ends the current step.
func (d *display) Done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.finish()
}

func (d *display) finish() {
	d.erase()
	if d.moving && d.current.title != "" {
		fmt.Fprintf(d.out, "  %s  %s\n", d.current.title, d.now().Sub(d.current.started).Round(100*time.Millisecond))
	}
	d.current = step{}
}

func (d *display) erase() {
	if d.drawn {
		fmt.Fprint(d.out, "\r\x1b[K")
		d.drawn = false
	}
}

func (d *display) draw() {
	if !d.moving || d.current.title == "" {
		return
	}
	line := []rune("  " + d.line())
	if len(line) >= d.width {
		line = line[:d.width-1]
	}
	fmt.Fprint(d.out, string(line))
	d.drawn = true
}

// line is the current step in words: title, part, rate, time left.
func (d *display) line() string {
	s := d.current
	var b strings.Builder
	b.WriteString(report.Visible(s.title))
	elapsed := d.now().Sub(s.started)
	if s.unit != "bytes" {
		if s.total > 0 {
			fmt.Fprintf(&b, "  %d of %d %s", s.done, s.total, s.unit)
		}
		if elapsed >= time.Second {
			fmt.Fprintf(&b, "  %s", elapsed.Round(time.Second))
		}
		return b.String()
	}
	fmt.Fprintf(&b, "  %s", formatBytes(s.done))
	if s.total > 0 {
		fmt.Fprintf(&b, " of %s (%d %%)", formatBytes(s.total), min(100, 100*s.done/s.total))
	}
	rate := float64(s.done-s.first) / elapsed.Seconds()
	if elapsed > time.Second && rate > 0 {
		fmt.Fprintf(&b, "  %s/s", formatBytes(int64(rate)))
		if left := float64(s.total-s.done) / rate; s.total > s.done && left < 1e6 {
			fmt.Fprintf(&b, "  %s left", time.Duration(left*float64(time.Second)).Round(time.Second))
		}
	}
	return b.String()
}

// formatBytes gives a size in binary units with three significant digits.
func formatBytes(n int64) string {
	const units = "KMGT"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v := float64(n)
	i := -1
	for v >= 1024 && i < len(units)-1 {
		v /= 1024
		i++
	}
	if v >= 100 {
		return fmt.Sprintf("%.0f %ciB", v, units[i])
	}
	return fmt.Sprintf("%.3g %ciB", v, units[i])
}
