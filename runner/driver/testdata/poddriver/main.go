// Command poddriver is a driver for tests in real pods. Its one workload runs a list of commands.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner/driver"
)

type commands struct{}

func (commands) Name() string { return "commands" }

func (commands) Drive(ctx context.Context, pod workload.Pod, params json.RawMessage) ([]evidence.Execution, error) {
	var list []workload.Command
	if err := json.Unmarshal(params, &list); err != nil {
		return nil, fmt.Errorf("read params: %w", err)
	}
	var all []evidence.Execution
	for _, c := range list {
		p, err := pod.Start(ctx, c)
		if err != nil {
			return nil, err
		}
		x, err := p.Wait(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

func main() {
	err := driver.Main(context.Background(), os.Stdin, os.Stdout, os.Stderr,
		[]workload.Workload{commands{}}, driver.Options{Exclusive: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
