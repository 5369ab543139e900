// Package accuracy compares what Assay reports with what is known to be true, and sums it up: errors, ratios, quantiles, and
// whether they hold the bars of the documentation. It is arithmetic on plain data; cmd/assay makes the runs.
package accuracy

import (
	"fmt"
	"time"

	"github.com/assay-run/assay/internal/evidence"
)

// Schema names the version of the stored form.
const Schema = "assay.bench/1"

// Report is what `assay bench --json` writes. What was not measured is absent.
type Report struct {
	Schema      string               `json:"schema"`
	Started     time.Time            `json:"started"`
	Command     []string             `json:"command"`
	Environment evidence.Environment `json:"environment"`
	Quick       bool                 `json:"quick"` // few repetitions: a look, no proof
	// LoadBefore is the machine's load average of one minute before the bench began, 0 where it is not known: others were at work.
	LoadBefore float64     `json:"loadBefore"`
	CPUs       int         `json:"cpus"`
	Overhead   *Overhead   `json:"overhead,omitempty"`
	Stalls     *Stalls     `json:"stalls,omitempty"`
	Memory     *Memory     `json:"memory,omitempty"`
	Load       *Generators `json:"load,omitempty"`
	Loggen     *Loggen     `json:"loggen,omitempty"`
}

// busyFrom is the load average, by core, from which on figures of time say more about the machine's other users than about us.
const busyFrom = 0.25

// Machine is one line about the machine, and a warning when it was busy before the bench began.
func (r *Report) Machine() string {
	e := r.Environment
	line := fmt.Sprintf("%s, %d cores, %s", r.Started.Format(time.DateOnly), r.CPUs, e.CPUModel)
	if e.Engine != "" {
		line += fmt.Sprintf("; %s %s, cgroup version %d, kernel %s, Node %s", e.Engine, e.EngineVersion, e.CgroupVersion, e.Kernel, e.Node)
	}
	line += fmt.Sprintf("; load average before: %.1f", r.LoadBefore)
	if r.LoadBefore > busyFrom*float64(r.CPUs) {
		line += "\nThe machine was busy with other things before the bench began: figures of time are worth less."
	}
	return line
}

// Section is one part of a report in words: a title, a table, remarks.
type Section struct {
	Title   string
	Table   Table
	Remarks []string
}

// Sections are all parts that were measured, in a fixed order.
func (r *Report) Sections() []Section {
	var out []Section
	if r.Overhead != nil {
		out = append(out, r.Overhead.sections()...)
	}
	if r.Stalls != nil {
		out = append(out, r.Stalls.sections()...)
	}
	if r.Memory != nil {
		out = append(out, r.Memory.section())
	}
	if r.Load != nil {
		out = append(out, r.Load.section())
	}
	if r.Loggen != nil {
		out = append(out, r.Loggen.section())
	}
	return out
}
