package service

import (
	"archive/zip"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/forms"
	"github.com/assay-run/assay/internal/platform"
)

// OwnTask is a challenge of the candidate's attempt. An attempt must have begun: before, nobody sees what is asked.
func (s *Service) OwnTask(ctx context.Context, a Actor, challenge string) (*challenges.Challenge, error) {
	return run(ctx, s, a, CandidateLook, func(w *work) (*challenges.Challenge, error) {
		if err := w.ownChallenge(ctx, challenge); err != nil {
			return nil, err
		}
		return s.Challenge(challenge)
	})
}

// OwnStarter are the files that a candidate begins with, by path, the brief among them.
func (s *Service) OwnStarter(ctx context.Context, a Actor, challenge string) (map[string][]byte, error) {
	c, err := s.OwnTask(ctx, a, challenge)
	if err != nil {
		return nil, err
	}
	return starter(c, a.invitation)
}

// OwnDraft is what the candidate has saved of the work on a challenge; its revision is 0 when that is nothing.
func (s *Service) OwnDraft(ctx context.Context, a Actor, challenge string) (platform.Draft, error) {
	return run(ctx, s, a, CandidateLook, func(w *work) (platform.Draft, error) {
		if err := w.ownChallenge(ctx, challenge); err != nil {
			return platform.Draft{}, err
		}
		all, err := w.Drafts(ctx, w.org, w.invitation.AttemptID)
		for _, d := range all {
			if d.ChallengeID == challenge {
				return d, err
			}
		}
		return platform.Draft{AttemptID: w.invitation.AttemptID, ChallengeID: challenge}, err
	})
}

// ownChallenge is nil for a challenge of the attempt that has begun.
func (w *work) ownChallenge(ctx context.Context, challenge string) error {
	if err := w.begun(); err != nil {
		return err
	}
	t, err := w.Attempt(ctx, w.org, w.invitation.AttemptID)
	if err != nil {
		return err
	}
	as, err := w.AssessmentVersion(ctx, w.org, t.AssessmentID, t.AssessmentVersion)
	if err != nil {
		return err
	}
	if _, ok := as.Settings.Challenge(challenge); !ok {
		return platform.Errorf(platform.NotFound, "There is no such challenge in this assessment.")
	}
	return nil
}

// Brief reads the brief of a challenge as it was written; empty for one that has no files.
func Brief(c *challenges.Challenge) ([]byte, error) {
	if c.Files == nil {
		return nil, nil
	}
	source, err := fs.ReadFile(c.Files, challenges.Brief)
	if err != nil {
		return nil, fmt.Errorf("read brief of %s: %w", c.ID, err)
	}
	return source, nil
}

// starter makes the files that an invitation begins with. Of a challenge whose starter has several forms each invitation has
// one, always the same.
func starter(c *challenges.Challenge, invitation platform.ID) (map[string][]byte, error) {
	files := map[string][]byte{}
	if forms.Has(c.Files) {
		set, err := forms.Load(c.Files)
		if err != nil {
			return nil, fmt.Errorf("load forms of %s: %w", c.ID, err)
		}
		h := fnv.New64a()
		fmt.Fprintf(h, "%s %s", invitation, c.ID)
		form, _, err := set.Form(int(h.Sum64() % uint64(set.Count())))
		if err != nil {
			return nil, fmt.Errorf("make form of %s: %w", c.ID, err)
		}
		maps.Copy(files, form)
	} else if err := readStarter(c, files); err != nil {
		return nil, err
	}
	brief, err := Brief(c)
	if err != nil {
		return nil, err
	}
	files["BRIEF.md"] = brief
	return files, nil
}

func readStarter(c *challenges.Challenge, into map[string][]byte) error {
	root, err := fs.Sub(c.Files, "starter")
	if err != nil {
		return fmt.Errorf("open starter of %s: %w", c.ID, err)
	}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		into[name], err = fs.ReadFile(root, name)
		return err
	})
	if err != nil {
		return fmt.Errorf("read starter of %s: %w", c.ID, err)
	}
	return nil
}

// WriteZip writes files into a folder of an archive, in the order of their names.
func WriteZip(to io.Writer, folder string, files map[string][]byte) error {
	z := zip.NewWriter(to)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(folder + "/" + name)
		if err == nil {
			_, err = w.Write(files[name])
		}
		if err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}
