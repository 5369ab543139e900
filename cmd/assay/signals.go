package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// sameSignal is how close two signals are that count as one.
const sameSignal = 100 * time.Millisecond

// secondSignal lets a command that drains do something at the second signal, which would end the process otherwise; the third
// one then does.
type secondSignal struct {
	mu      sync.Mutex
	words   string // said at the first signal; empty: what most commands do
	awaited bool
	told    chan struct{}
}

// announce has other words said at the first signal.
func (s *secondSignal) announce(words string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.words = words
}

// await makes the second signal one that is waited for. words are said at the first one. What is returned is closed at the
// second.
func (s *secondSignal) await(words string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.words, s.awaited = words, true
	return s.told
}

// first are the words for the first signal.
func (s *secondSignal) first() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.words == "" {
		return "stopping and cleaning up; once more to stop at once"
	}
	return s.words
}

// take says whether a signal was waited for, the first time that it is asked.
func (s *secondSignal) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.awaited {
		return false
	}
	select {
	case <-s.told:
		return false
	default:
		close(s.told)
		return true
	}
}

// withSignals cancels the context on the first SIGINT, SIGTERM or SIGHUP, and ends the process at once on the second, or on
// the third when somebody waits for the second.
func withSignals(parent context.Context, stderr io.Writer, second *secondSignal) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			fmt.Fprintln(stderr, "\nassay: "+second.first())
			cancel(errInterrupted)
		case <-done:
			return
		}
		// timeout(1) sends its signal twice at once, to the process and to its group; that is no second wish.
		settled := time.After(sameSignal)
		for {
			select {
			case <-settled:
				settled = nil
			case <-signals:
				if settled != nil {
					continue
				}
				if !second.take() {
					os.Exit(exitInterrupted)
				}
				settled = time.After(sameSignal)
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}
