package runner

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSaysNothingNew(t *testing.T) {
	t.Parallel()
	meddled, down := fmt.Errorf("wait: %w", ErrMeddled), fmt.Errorf("wait: %w", ErrEngineDown)
	other := errors.New("remove volume: busy")
	assert.True(t, saysNothingNew(down, other), "whatever fails on an engine that is gone")
	assert.True(t, saysNothingNew(meddled, errors.Join(meddled, other)))
	assert.False(t, saysNothingNew(meddled, other))
	assert.False(t, saysNothingNew(meddled, nil))
	assert.False(t, saysNothingNew(fmt.Errorf("converse: %w", ErrDriver), meddled), "it says why the driver failed")
}
