package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/runner"
)

// neighbourLimit is when a neighbour ends by itself, whatever became of the process that started it.
const neighbourLimit = 12 * time.Hour

// neighbourCommand is the load of validate --neighbour. People have no use for it.
func (a *app) neighbourCommand() *cobra.Command {
	var cores string
	c := &cobra.Command{
		Use:    "neighbour",
		Short:  "Keep cores busy (started by assay itself)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), neighbourLimit)
			defer cancel()
			return keepBusy(ctx, strings.Split(cores, ","))
		},
	}
	c.Flags().StringVar(&cores, "cores", "", "comma-separated cores to keep busy")
	return c
}

// keepBusy computes and moves memory on every core, one thread each, until ctx ends. It does so in bursts of 50 to 500 ms with
// pauses of 5 to 50 ms, as a program does that is at work and not as one that only spins.
func keepBusy(ctx context.Context, cores []string) error {
	errs := make(chan error, len(cores))
	for _, text := range cores {
		core, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return usagef("Give numbers such as --cores 0,2.", "core %q is no number", text)
		}
		go func() {
			runtime.LockOSThread()
			if err := pinThread(core); err != nil {
				errs <- fmt.Errorf("use core %d: %w", core, err)
				return
			}
			memory := make([]uint64, 4<<20) // 32 MiB, more than a cache
			x := uint64(core) + 1
			for ctx.Err() == nil {
				for end := time.Now().Add(time.Duration(50+rand.IntN(450)) * time.Millisecond); time.Now().Before(end); { //nolint:gosec // noise
					for range 10_000 {
						x ^= x << 13
						x ^= x >> 7
						x ^= x << 17
						memory[x%uint64(len(memory))] += x
					}
				}
				time.Sleep(time.Duration(5+rand.IntN(45)) * time.Millisecond) //nolint:gosec // noise
			}
			errs <- nil
		}()
	}
	for range cores {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// startNeighbour starts a process that keeps all cores busy but the submission's. The returned function ends it.
func (a *app) startNeighbour(ctx context.Context, slot runner.Slot) (stop func(), err error) {
	cores := otherCores(runtime.NumCPU(), slot.CandidateCores)
	if len(cores) == 0 {
		return nil, usagef("It needs a machine with two cores or more.", "there is no core beside the submission's to keep busy")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own binary: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, self, "neighbour", "--cores", strings.Join(cores, ",")) //nolint:gosec // our own binary
	endWithParent(cmd)
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start neighbour: %w", err)
	}
	fmt.Fprintf(a.err, "A neighbour keeps core %s busy meanwhile.\n", strings.Join(cores, ", "))
	return func() {
		cancel()
		_ = cmd.Wait() // its end is ours
	}, nil
}

// otherCores are all cores but those of a list such as "1" or "2-3,6".
func otherCores(count int, taken string) []string {
	used := map[int]bool{}
	for _, part := range strings.Split(taken, ",") {
		first, last, isRange := strings.Cut(part, "-")
		low, err := strconv.Atoi(first)
		if err != nil {
			continue
		}
		high := low
		if isRange {
			if high, err = strconv.Atoi(last); err != nil {
				continue
			}
		}
		for core := low; core <= high; core++ {
			used[core] = true
		}
	}
	var out []string
	for core := range count {
		if !used[core] {
			out = append(out, strconv.Itoa(core))
		}
	}
	slices.Sort(out)
	return out
}
