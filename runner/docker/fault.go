package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/assay-run/assay/runner"
)

// noSpace is how the engine passes on that a write of its own found no room (ENOSPC); there is no type for it in the API.
const noSpace = "no space left on device"

// fault turns an error of the client into one of ours: the cause of ctx when that is over, runner.ErrEngineDown with
// what to do when the engine is gone, runner.ErrEngineFull when its disk is, runner.ErrEngineFault when it failed by
// itself, and otherwise the error itself with the verb before it.
func fault(ctx context.Context, verb string, err error) error {
	var opErr *net.OpError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", verb, context.Cause(ctx))
	case client.IsErrConnectionFailed(err), errors.As(err, &opErr),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: %w; see that the container engine runs and that this user may use it (assay doctor): %w",
			verb, runner.ErrEngineDown, err)
	case strings.Contains(err.Error(), noSpace):
		return fmt.Errorf("%s: %w: %w", verb, runner.ErrEngineFull, err)
	case errdefs.IsInternal(err), errdefs.IsUnavailable(err), errdefs.IsUnknown(err):
		return fmt.Errorf("%s: %w: %w", verb, runner.ErrEngineFault, err)
	}
	return fmt.Errorf("%s: %w", verb, err)
}

func missingImage(image string, err error) error {
	return fmt.Errorf("use image %s: %w; run assay setup: %w", image, runner.ErrImageMissing, err)
}
