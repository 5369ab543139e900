package web_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service/servicetest"
)

// patience bounds a wait for what must come.
const patience = 20 * time.Second

// follow opens a stream of news; its lines come until it ends.
func (c *browser) follow(t *testing.T, path string) (lines <-chan string, status int, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	require.NoError(t, err)
	out, err := c.http.Do(r)
	require.NoError(t, err)
	all := make(chan string, 1000)
	go func() {
		defer close(all)
		defer out.Body.Close()
		for text := bufio.NewScanner(out.Body); text.Scan(); {
			all <- text.Text()
		}
	}()
	t.Cleanup(cancel)
	return all, out.StatusCode, cancel
}

// await reads lines up to one that begins so.
func await(t *testing.T, lines <-chan string, begin string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, ok := <-lines:
			require.True(t, ok, "the stream ended before %q", begin)
			if strings.HasPrefix(line, begin) {
				return
			}
		case <-late:
			require.Fail(t, "nothing came", begin)
		}
	}
}

func TestNews(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	team := b.owner()
	c, base := b.begun(team.invited(team.assessment(), "Ann", "ann@x.example"))
	lines, status, _ := c.follow(t, base+"/events")
	require.Equal(t, http.StatusOK, status)
	await(t, lines, "retry:")
	page := team.get("/candidates/" + strings.TrimPrefix(base, "/my/")).ok(t)
	team.fill(page, "/extend", "minutes", "30", "extendReason", "a fire alarm").ok(t)
	await(t, lines, "event: clock")
	await(t, lines, `data: {"ends":`)
	c.handIn(base+"/work/one", platform.DryRun, string(servicetest.Archive(t, "x"))).ok(t)
	await(t, lines, "event: changed")
	b.grade(50)
	await(t, lines, "event: changed")

	close(b.ending)
	late := time.After(patience)
	for open := true; open; {
		select {
		case _, open = <-lines:
		case <-late:
			require.Fail(t, "the stream outlives the server's end")
		}
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	team := b.owner()
	c, base := b.begun(team.invited(team.assessment(), "Ann", "ann@x.example"))
	var first func()
	for range 4 {
		lines, status, end := c.follow(t, base+"/events")
		require.Equal(t, http.StatusOK, status)
		await(t, lines, "retry:")
		if first == nil {
			first = end
		}
	}
	require.Equal(t, http.StatusTooManyRequests, c.get(base+"/events").status)
	first()
	require.Eventually(t, func() bool {
		_, status, end := c.follow(t, base+"/events")
		end()
		return status == http.StatusOK
	}, patience, 10*time.Millisecond, "a stream that ended leaves its place to another")
}
