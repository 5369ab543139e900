package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/platform/grader"
	"github.com/assay-run/assay/internal/platform/worker"
)

// Stored is a worker.Grader that answers with gradings that were made before, such as `assay validate --out` keeps. Each was
// judged again from its evidence when it was read, and gave the same report.
type Stored struct {
	found map[storedKey]string // folder of a grading
	byID  map[string]*challenges.Challenge
	kinds map[string]graders.Grader
}

type storedKey struct{ challenge, mode, digest string }

var _ worker.Grader = (*Stored)(nil)

// OpenStored reads every grading below a folder. Those of challenges, or of versions, that are not here, and invalid ones, are
// left out; one whose evidence does not give its report is an error.
func OpenStored(dir string, all []*challenges.Challenge, kinds map[string]graders.Grader) (*Stored, error) {
	s := &Stored{found: map[storedKey]string{}, byID: map[string]*challenges.Challenge{}, kinds: kinds}
	for _, ch := range all {
		s.byID[ch.ID] = ch
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != grading.ReportFile {
			return err
		}
		return s.read(name)
	})
	if err != nil {
		return nil, fmt.Errorf("read stored gradings: %w", err)
	}
	if len(s.found) == 0 {
		return nil, fmt.Errorf("read stored gradings: there is none below %s that fits the challenges here", dir)
	}
	return s, nil
}

func (s *Stored) read(name string) error {
	rep, err := grading.ReadReport(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	ch, ok := s.byID[rep.Challenge.ID]
	if !ok || rep.Verdict == grading.Invalid || rep.Challenge.Digest != ch.Digest {
		return nil
	}
	again, err := grading.Recompute(name, ch, s.kinds)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if !again.Same {
		return fmt.Errorf("%s: its evidence does not give this report", name)
	}
	s.found[storedKey{rep.Challenge.ID, rep.Mode, rep.Submission.Digest}] = filepath.Dir(name)
	return nil
}

// Has says whether there is a grading of a submission, by the digest of its files.
func (s *Stored) Has(challenge, mode, digest string) bool {
	_, ok := s.found[storedKey{challenge, mode, digest}]
	return ok
}

// Grade implements worker.Grader.
func (s *Stored) Grade(_ context.Context, t worker.Task) (worker.Outcome, error) {
	dir, ok := s.found[storedKey{t.ChallengeID, t.Mode, t.Digest}]
	if !ok {
		return worker.Outcome{}, fmt.Errorf("there is no stored grading of %s in mode %s with the files %s", t.ChallengeID, t.Mode, t.Digest)
	}
	t.Progress("reading a stored grading")
	rep, err := grading.ReadReport(filepath.Join(dir, grading.ReportFile))
	if err != nil {
		return worker.Outcome{}, err
	}
	if err := errors.Join(copyFile(dir, t.Dir, grading.ReportFile), copyFile(dir, t.Dir, grading.EvidenceFile)); err != nil {
		return worker.Outcome{}, err
	}
	return worker.Outcome{
		Result: grader.ResultOf(rep), Report: filepath.Join(t.Dir, grading.ReportFile), Evidence: filepath.Join(t.Dir, grading.EvidenceFile),
	}, nil
}

func copyFile(from, to, name string) error {
	in, err := os.Open(filepath.Join(from, name))
	if err != nil {
		return fmt.Errorf("copy %s: %w", name, err)
	}
	defer in.Close() // only read
	out, err := os.Create(filepath.Join(to, name))
	if err != nil {
		return fmt.Errorf("copy %s: %w", name, err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", name, err)
	}
	return nil
}
