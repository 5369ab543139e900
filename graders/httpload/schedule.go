package httpload

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Step is a part of a schedule with one rate.
type Step struct {
	Rate float64       // requests per second, 0 to 10,000
	For  time.Duration // how long
}

// Schedule says when requests are due.
type Schedule struct {
	Steps []Step
	// Seed makes arrivals random (a Poisson process), always the same for the same seed; without it they are evenly spaced.
	Seed []byte
}

const (
	maxRate = 10_000
	// maxRequests bounds a schedule, and so the record (96 bytes each).
	maxRequests = 1 << 20
)

// Duration is the length of all steps.
func (s Schedule) Duration() (sum time.Duration) {
	for _, step := range s.Steps {
		sum += step.For
	}
	return sum
}

// Validate says what is wrong with a schedule.
func (s Schedule) Validate() error {
	expected := 0.0
	for i, step := range s.Steps {
		if !(step.Rate >= 0 && step.Rate <= maxRate) || step.For <= 0 {
			return fmt.Errorf("step %d: rate must be from 0 to %d a second, for a positive time", i+1, maxRate)
		}
		expected += step.Rate * step.For.Seconds()
	}
	if len(s.Steps) == 0 {
		return errors.New("schedule has no steps")
	}
	if expected > maxRequests/2 { // a random number of arrivals is never the double of what is expected
		return fmt.Errorf("schedule has %.0f requests, at most %d are kept", expected, maxRequests/2)
	}
	return nil
}

// Due are the moments at which requests are due, since the start of the schedule, ascending.
func (s Schedule) Due() []time.Duration {
	var rng *rand.Rand
	if s.Seed != nil {
		rng = rand.New(rand.NewChaCha8(sha256.Sum256(s.Seed)))
	}
	var due []time.Duration
	begin := time.Duration(0)
	for _, step := range s.Steps {
		// A Poisson process has no memory, so it may begin anew with each step.
		at := 0.0
		for n := 0; step.Rate > 0; n++ {
			if rng != nil {
				at += rng.ExpFloat64() / step.Rate
			} else {
				at = float64(n) / step.Rate
			}
			if at >= step.For.Seconds() || len(due) == maxRequests {
				break
			}
			due = append(due, begin+time.Duration(at*float64(time.Second)))
		}
		begin += step.For
	}
	return due
}
