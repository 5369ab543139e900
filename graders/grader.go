// Package graders joins what a workload does inside a pod with what is made of it afterwards.
//
// A grader has two halves that never meet in one process: Drive runs in the driver beside the submission and knows
// nothing of expected values; Prepare and Measure run on the host. Measure is pure.
package graders

import (
	"context"
	"encoding/json"
	"io/fs"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// Grader is one kind of work.
type Grader interface {
	workload.Workload
	// Metrics documents every number Measure can yield.
	Metrics() []evidence.MetricDoc
	// Check validates the settings of a scenario ("with:" in challenge.yaml) when the challenge is loaded.
	Check(with map[string]any) error
	// Prepare makes the data of one scenario from the seed, before anything is measured.
	Prepare(ctx context.Context, p Preparation) (Prepared, error)
	// Measure judges one run. It is a pure function; its error means that run or truth is not its own.
	Measure(run evidence.Run, truth json.RawMessage) (evidence.Measures, error)
	// Compare judges what only several scenarios together show (e.g. memory by input size). runs and truth are those of
	// one role and one pair, by scenario id; the key of the result is a scenario id, and its values are added to that
	// scenario's. It is pure and may return nil.
	Compare(runs map[string]evidence.Run, truth map[string]json.RawMessage) (map[string]evidence.Measures, error)
}

// HandInReader is a Grader that also judges files of the submission as they were handed in, such as a diagnosis. What is said in them is no
// measurement, so no run is asked for it.
type HandInReader interface {
	// ReadHandIn judges the files of the submission beside one of its runs; truth is that of the run's scenario. Its measures are added to
	// those of the run. It is pure; its error means that run or truth is not its own.
	ReadHandIn(files []evidence.SourceFile, run evidence.Run, truth json.RawMessage) (evidence.Measures, error)
}

// Preparation is what Prepare gets.
type Preparation struct {
	Scenario string
	With     map[string]any // settings of the scenario, those of the mode merged over them
	Seed     []byte         // 32 bytes
	// Timeout is the time limit of one run of the scenario. The executions of Drive together end within it, as
	// evidence.TimedOut where they must; the host's own limit of a run lies above it and is an error of ours.
	Timeout  time.Duration
	CacheDir string // data sets are kept below it, by seed and size
	// CacheLimit is how many bytes all data sets together may take; 0 for the default of the cache.
	CacheLimit int64
	Files      fs.FS // the challenge's folder, for settings that name files in it
	// Services are the names of those that the scenario may start.
	Services []string
	// MemoryBytes is the memory limit of the submission; 0 for that of every one.
	MemoryBytes int64
	Report      func(workload.Progress)
}

// Prepared is a scenario ready to run.
type Prepared struct {
	DataDir string // holds the input files and nothing else; mounted read-only
	// StdinDir holds the files that Drive names as standard input (workload.Command.Stdin). It is not mounted: a process sees of it
	// what it is given.
	StdinDir string
	Params   json.RawMessage // for Drive: file names, sizes, rates; nothing that a submission may not know
	Truth    json.RawMessage // for Measure
	Files    []string        // absolute paths below DataDir of what a run reads, for page-cache treatment
	Bytes    int64           // size of the work, for progress
	// Release gives the data up, so that the cache may remove them; to be called when no run needs them any more. May be nil.
	Release func()
}

// Settings is a Grader whose settings have a JSON Schema, so that mistakes in them are told with line and column, and which may name
// files of the challenge.
type Settings interface {
	Grader
	// SettingsSchema is the JSON Schema of "with:". Its descriptions are the documentation of the settings.
	SettingsSchema() []byte
	// CheckFiles checks the files that settings name, which Check has passed, and returns their paths in the challenge's folder:
	// they decide a grading. Its errors are as those of Check.
	CheckFiles(with map[string]any, files fs.FS) ([]string, error)
}

// Linter is a grader that can say more of settings and files than every loading of a challenge needs.
type Linter interface {
	// LintFiles looks for what would keep a good submission from being right. CheckFiles has passed; its errors are as those of Check.
	LintFiles(with map[string]any, files fs.FS) error
}
