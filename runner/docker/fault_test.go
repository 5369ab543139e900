package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/runner"
)

func TestFault(t *testing.T) {
	t.Parallel()
	full := errdefs.ErrInternal.WithMessage("write /var/lib/docker/volumes/x: no space left on device")
	all := []error{runner.ErrEngineDown, runner.ErrEngineFault, runner.ErrEngineFull}
	for name, tt := range map[string]struct {
		err  error
		want error // of all; nil for none
	}{
		"cut":                {io.ErrUnexpectedEOF, runner.ErrEngineDown},
		"refused":            {&net.OpError{Op: "dial", Err: errors.New("refused")}, runner.ErrEngineDown},
		"failed":             {errdefs.ErrInternal.WithMessage("device is busy"), runner.ErrEngineFault},
		"no room":            {full, runner.ErrEngineFull},
		"asked for nonsense": {errdefs.ErrInvalidArgument.WithMessage("cpuset 99 is not available"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := fault(t.Context(), "do it", tt.err)
			require.ErrorContains(t, err, "do it: ")
			for _, one := range all {
				assert.Equal(t, tt.want != nil && errors.Is(tt.want, one), errors.Is(err, one), one.Error())
			}
		})
	}
	require.NoError(t, fault(t.Context(), "do it", nil))
	cause := errors.New("the user has gone home")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	require.ErrorIs(t, fault(ctx, "do it", full), cause)
}
