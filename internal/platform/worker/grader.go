package worker

import (
	"context"

	"github.com/assay-run/assay/internal/platform"
)

// Grader grades submissions. Its methods are called from several goroutines, one grading per slot.
type Grader interface {
	// Grade grades one submission. A submission that fails, hangs or attacks has an Outcome; an error is a fault of ours or
	// of the machine, and the grading is tried again later. When ctx is done it ends what runs, removes what it has made
	// outside the task's folder and returns; what it returns then counts only if it is a whole outcome.
	Grade(ctx context.Context, t Task) (Outcome, error)
}

// Task is one grading.
type Task struct {
	Job              platform.ID
	ChallengeID      string
	ChallengeVersion int
	Mode             string
	// Archive is the file that was handed in; its name ends as it did then. Digest is that of the unpacked files, as intake
	// found it at the door.
	Archive, Digest string
	// Seed has 32 bytes. Nil: the grader draws one, as it must when the mode is official.
	Seed []byte
	// Node is the version of Node.js to use; empty for the challenge's.
	Node string
	// Dir is an empty folder for the files of the outcome. It is removed when they are stored.
	Dir string
	// Progress hears what the grading is at, in a line for people. It never blocks and may be called from any goroutine
	// while Grade runs.
	Progress func(line string)
}

// Outcome is what a grading has found.
type Outcome struct {
	// Invalid says why the grading cannot be trusted; empty: it can. An invalid one is tried again, and needs nothing else.
	Invalid string
	// Result is the verdict with its figures. What names the submission, and where the files are kept, is filled in later.
	Result platform.Result
	// Report and Evidence are the files report.json and evidence.json.gz, in the task's folder.
	Report, Evidence string
}
