package killrounds

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/graders/service/servicetest"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMoments(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "n")
		apart := time.Duration(rapid.IntRange(0, 1000).Draw(t, "apart"))
		from := time.Duration(rapid.IntRange(0, 1000).Draw(t, "from"))
		to := from + time.Duration(n-1)*apart + time.Duration(rapid.IntRange(1, 1000).Draw(t, "room"))
		seed := rapid.Uint64().Draw(t, "seed")
		list := Moments(rand.New(rand.NewPCG(seed, 1)), n, from, to, apart)
		require.Len(t, list, n)
		require.GreaterOrEqual(t, list[0], from)
		require.LessOrEqual(t, list[n-1], to)
		for i := 1; i < n; i++ {
			require.GreaterOrEqual(t, list[i]-list[i-1], apart)
		}
		require.Equal(t, list, Moments(rand.New(rand.NewPCG(seed, 1)), n, from, to, apart))
	})
}

func TestKeeper(t *testing.T) {
	t.Parallel()
	var starts atomic.Int64
	gone := make(chan struct{})
	var ports []string
	pod := &servicetest.Pod{Serve: func(c workload.Command) (http.Handler, <-chan struct{}) {
		ports = append(ports, c.Env["PORT"])
		if starts.Add(1) == 2 {
			return http.NotFoundHandler(), gone // it will end by itself
		}
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil
	}}
	ctx := t.Context()
	k, err := Start(ctx, pod, service.Options{Timeout: time.Minute}, time.Now())
	require.NoError(t, err)
	require.True(t, k.Ready())
	restarted, err := k.Mind(ctx)
	require.NoError(t, err)
	assert.False(t, restarted, "it runs")

	require.NoError(t, k.Kill(ctx))
	time.AfterFunc(50*time.Millisecond, func() { close(gone) })
	ready, err := k.Restart(ctx)
	require.NoError(t, err)
	assert.False(t, ready)
	require.Eventually(t, k.Service().Ended, 10*time.Second, time.Millisecond)
	restarted, err = k.Mind(ctx)
	require.NoError(t, err)
	assert.True(t, restarted)

	list, err := k.End(ctx, func() (any, error) { return map[string]int{"lives": len(k.Lives())}, nil })
	require.NoError(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name)
	}
	assert.Equal(t, []string{"service", "service-2", "service-3"}, names)
	assert.Equal(t, evidence.Signaled, list[0].Exit.Status)
	assert.Equal(t, evidence.Exited, list[1].Exit.Status)
	assert.JSONEq(t, `{"lives":3}`, string(list[2].Facts))
	lives := k.Lives()
	assert.Equal(t, "[true false true]", fmt.Sprint([]bool{lives[0].Killed, lives[1].Killed, lives[2].Killed}))
	assert.Equal(t, "[true false true]", fmt.Sprint([]bool{lives[0].ReadyNs > 0, lives[1].ReadyNs > 0, lives[2].ReadyNs > 0}))
	assert.Equal(t, []string{ports[0], ports[0], ports[0]}, ports, "on the same port")
	for i, l := range lives {
		assert.GreaterOrEqual(t, l.EndNs, l.StartNs, i)
	}
	require.NoError(t, k.Abandon(ctx), "there is nothing left")
}

// TestKeeperHasEnough leaves a submission alone that always ends by itself.
func TestKeeperHasEnough(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	close(gone)
	pod := &servicetest.Pod{Serve: func(workload.Command) (http.Handler, <-chan struct{}) { return http.NotFoundHandler(), gone }}
	k, err := Start(t.Context(), pod, service.Options{}, time.Now())
	require.NoError(t, err)
	for range 2 * maxStarts {
		require.Eventually(t, k.Service().Ended, 10*time.Second, time.Millisecond)
		_, err := k.Mind(t.Context())
		require.NoError(t, err)
	}
	list, err := k.End(t.Context(), func() (any, error) { return struct{}{}, nil })
	require.NoError(t, err)
	assert.Len(t, list, maxStarts)
}
