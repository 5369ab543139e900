package fileio

import (
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// startShare is what must be left of the time of a run for one more start to make sense.
const startShare = 200 * time.Millisecond

// Drive implements workload.Workload: the cases one after the other, a process for each. What a submission does to one case does not
// keep it from the next one. When the time of the run is used up, the remaining cases are left out.
func (g *Grader) Drive(ctx context.Context, pod workload.Pod, raw json.RawMessage) ([]evidence.Execution, error) {
	var p params
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("read params of %s: %w", g.name, err)
	}
	if len(p.Cases) == 0 {
		return nil, fmt.Errorf("read params of %s: no cases", g.name)
	}
	started := time.Now()
	var done []evidence.Execution
	for i, c := range p.Cases {
		limit := c.TimeNs
		if p.TimeoutNs > 0 {
			limit = min(limit, p.TimeoutNs-time.Since(started))
		}
		if limit < min(startShare, c.TimeNs) {
			break
		}
		pod.Report(workload.Progress{Phase: c.Name, Done: int64(i), Total: int64(len(p.Cases)), Unit: "cases"})
		e, err := execute(ctx, pod, p, c, limit)
		if err != nil {
			return done, fmt.Errorf("drive case %s: %w", c.Name, err)
		}
		done = append(done, e)
	}
	return done, nil
}

// execute gives one case to the submission.
func execute(ctx context.Context, pod workload.Pod, p params, c work, limit time.Duration) (evidence.Execution, error) {
	out := outputName(c.Ending)
	command := workload.Command{
		Name: c.Name, Env: map[string]string{}, Timeout: limit, InputBytes: c.Bytes, OutputBytes: c.KeepBytes,
	}
	fill := strings.NewReplacer(placeInput, path.Join(pod.Paths().Data, c.File), placeOutput, path.Join(pod.Paths().Out, out))
	for _, arg := range c.Args {
		command.Args = append(command.Args, fill.Replace(arg))
	}
	for name, value := range p.Env {
		command.Env[name] = fill.Replace(value)
	}
	if !c.InputFile {
		command.Stdin = c.File
	}
	if err := pod.ClearOutput(); err != nil {
		return evidence.Execution{}, fmt.Errorf("clear output: %w", err)
	}
	proc, err := pod.Start(ctx, command)
	if err != nil {
		return evidence.Execution{}, fmt.Errorf("start submission: %w", err)
	}
	e, err := proc.Wait(ctx)
	if err != nil {
		return evidence.Execution{}, errors.Join(fmt.Errorf("wait for submission: %w", err), workload.Abandon(ctx, proc))
	}
	if c.OutputFile {
		file := pod.ReadOutput(out, c.KeepBytes)
		e.Output = &file
	}
	return e, nil
}

// outputName is a name for the result that cannot be guessed.
func outputName(ending string) string {
	var b [6]byte
	_, _ = crand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:]) + ending
}
