package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/assay-run/assay/graders/dataset"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/runner"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	full := &fs.PathError{Op: "write", Path: "/state/id", Err: syscall.ENOSPC}
	for name, tt := range map[string]struct {
		err  error
		want int
	}{
		"done":                        {nil, exitPass},
		"pass":                        {&verdictError{grading.Pass}, exitPass},
		"withheld":                    {&verdictError{grading.Withheld}, exitFail},
		"invalid":                     {&verdictError{grading.Invalid}, exitInvalid},
		"usage":                       {usagef("hint", "wrong"), exitUsage},
		"refused":                     {&intake.Error{Rule: "too large"}, exitUsage},
		"no permission":               {usagef("hint", "%w", fs.ErrPermission), exitUsage},
		"full disk is nobody's fault": {usagef("Set ASSAY_STATE to a folder that you can write to.", "%w", full), exitInfrastructure},
		"quota":                       {fmt.Errorf("write: %w", syscall.EDQUOT), exitInfrastructure},
		"engine":                      {fmt.Errorf("run: %w", runner.ErrEngineDown), exitInfrastructure},
		"unknown":                     {errors.New("something else"), exitInfrastructure},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, exitCode(t.Context(), tt.err))
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	assert.Equal(t, exitInterrupted, exitCode(ctx, runner.ErrEngineDown))
}

func TestNextStep(t *testing.T) {
	t.Parallel()
	a := &app{cacheDir: "/c/cache", stateDir: "/s/state"}
	write := func(path string) error {
		return fmt.Errorf("write: %w", &fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC})
	}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"engine away":   {runner.ErrEngineDown, "Run `assay doctor`"},
		"image":         {runner.ErrImageMissing, "Run `assay setup`"},
		"engine's disk": {runner.ErrEngineFull, "docker system df"},
		"meddled":       {runner.ErrMeddled, "docker events"},
		"data set":      {dataset.ErrNoSpace, "Make room as said above"},
		"cache":         {write("/c/cache/data/x"), "The disk of /c/cache is full: free some space there, or choose another folder with --cache, and run it again."},
		"state":         {write("/s/state/id"), "The disk of /s/state is full: free some space there, or choose another folder with ASSAY_STATE, and run it again."},
		"temporary":     {write(filepath.Join(os.TempDir(), "x", "y")), "or choose another folder with TMPDIR"},
		"link":          {&os.LinkError{Op: "rename", Old: "/a", New: "/c/cache/b", Err: syscall.ENOSPC}, "with --cache"},
		"report":        {write("/out/report.json"), "The disk of /out is full: free some space there, or choose another folder, and run it again."},
		"no name":       {syscall.ENOSPC, "Free some space on the disk"},
		"unknown":       {errors.New("something else"), "try again with -v"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := a.nextStep(tt.err)
			assert.Contains(t, got, "Nothing was charged to the submission. ")
			assert.Contains(t, got, tt.want)
		})
	}
}
