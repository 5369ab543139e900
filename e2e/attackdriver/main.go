//go:build linux

// Command attackdriver is the driver of TestAttacks. It has three workloads: "attack" runs a submission and reads a file of its output
// directory, "serve" asks one over HTTP by the heartbeat's own client, and that of graders/surgepricing. To what each saw it adds the most
// memory that this process had: a submission must not be able to make it grow. As "egress-proxy" and "disk-watch" it is
// what stands beside builds.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/assay-run/assay/graders/surgepricing"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner/diskwatch"
	"github.com/assay-run/assay/runner/driver"
	"github.com/assay-run/assay/runner/egress"
)

func main() {
	helpers := map[string]func(context.Context, []string, io.Writer) error{"egress-proxy": egress.Main, "disk-watch": diskwatch.Main}
	if len(os.Args) > 1 && helpers[os.Args[1]] != nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		if err := helpers[os.Args[1]](ctx, os.Args[2:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	loads := []workload.Workload{weighed{attack{}}, weighed{serve{}}, weighed{surgepricing.New()}}
	if err := driver.Main(context.Background(), os.Stdin, os.Stdout, os.Stderr, loads, driver.Options{Exclusive: true}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// weighed is a workload that notes the driver's own memory beside the facts of its first execution.
type weighed struct{ workload.Workload }

// Drive implements workload.Workload.
func (w weighed) Drive(ctx context.Context, pod workload.Pod, params json.RawMessage) ([]evidence.Execution, error) {
	all, err := w.Workload.Drive(ctx, pod, params)
	if err != nil || len(all) == 0 {
		return nil, errors.Join(err, ctx.Err())
	}
	facts := map[string]json.RawMessage{}
	if raw := all[0].Facts; len(raw) > 0 {
		if err := json.Unmarshal(raw, &facts); err != nil {
			return nil, fmt.Errorf("read facts: %w", err)
		}
	}
	bytes, err := mostMemory()
	if err != nil {
		return nil, err
	}
	facts["driverBytes"] = json.RawMessage(strconv.FormatInt(bytes, 10))
	all[0].Facts, err = json.Marshal(facts)
	return all, err
}

// mostMemory is the largest resident size that this process has had.
func mostMemory() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read own memory: %w", err)
	}
	_, rest, _ := strings.Cut(string(status), "\nVmHWM:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(kib, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read own memory: %w", err)
	}
	return n << 10, nil
}
