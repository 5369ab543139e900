package service_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/webhook"
)

// What signs deliveries is that which was shown, and for a while after a change also what was shown before.
func TestASecretIsRotated(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	e, first, err := b.CreateEndpoint(t.Context(), owner, "https://ats.example/hook", platform.EventTypes())
	require.NoError(t, err)
	signatures := func() []string {
		var sealed []byte
		require.NoError(t, b.store.View(t.Context(), func(tx *store.Tx) error {
			kept, err := tx.Endpoint(t.Context(), owner.Org(), e.ID)
			sealed = kept.SealedSecret
			return err
		}))
		opened, err := sealer{}.Open(sealed, webhook.SealedFor)
		require.NoError(t, err)
		secrets, err := webhook.DecodeSecrets(opened)
		require.NoError(t, err)
		text, err := secrets.Sign("evt_1", b.clock(), []byte("{}"))
		require.NoError(t, err)
		return strings.Fields(text)
	}
	sign := func(secret string) string {
		text, err := webhook.Secrets{{Text: secret}}.Sign("evt_1", b.clock(), []byte("{}"))
		require.NoError(t, err)
		return text
	}
	require.Equal(t, []string{sign(first)}, signatures())
	second, err := b.RotateEndpoint(t.Context(), owner, e.ID)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	require.Equal(t, []string{sign(second), sign(first)}, signatures())
	b.pass(webhook.Overlap)
	require.Equal(t, []string{sign(second)}, signatures())
}
