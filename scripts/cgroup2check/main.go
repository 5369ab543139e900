// Command cgroup2check reads a grading made on a host with cgroup version 2 and checks what does not depend on time.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: cgroup2check DIR")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(dir string) error {
	ev, err := grading.ReadEvidence(filepath.Join(dir, grading.EvidenceFile))
	if err != nil {
		return err
	}
	rep, err := grading.ReadReport(filepath.Join(dir, grading.ReportFile))
	if err != nil {
		return err
	}
	var errs []error
	if v := ev.Environment.CgroupVersion; v != 2 {
		errs = append(errs, fmt.Errorf("the grading ran on cgroup version %d", v))
	}
	executions := 0
	for _, run := range ev.Last().Runs {
		for _, x := range run.Executions {
			executions++
			errs = append(errs, checkExecution(run, x))
		}
	}
	for _, set := range rep.Cases {
		for _, c := range set.Cases {
			if !c.Right {
				errs = append(errs, fmt.Errorf("%s, %s: %s", set.Scenario, c.Name, c.Detail))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	fmt.Printf("cgroup version 2: %d executions in %d runs, all results right; verdict %s %s\n",
		executions, len(ev.Last().Runs), rep.Verdict, rep.Invalid)
	return nil
}

// checkExecution wants figures of the cgroup that agree with those of /proc.
func checkExecution(run evidence.Run, x evidence.Execution) error {
	where := fmt.Sprintf("%s, %s, %s", run.Scenario, run.Role, x.Name)
	u := x.Usage
	switch {
	case u.Samples == 0 || u.CPUNs == 0:
		return fmt.Errorf("%s: nothing was sampled: %+v", where, u)
	case u.CgroupPeakBytes == 0:
		return fmt.Errorf("%s: no memory was read from the cgroup", where)
	case u.CgroupPeakBytes > 2*u.ProcPeakBytes || u.ProcPeakBytes > 2*u.CgroupPeakBytes:
		return fmt.Errorf("%s: the cgroup says %d bytes, /proc %d", where, u.CgroupPeakBytes, u.ProcPeakBytes)
	}
	return nil
}
