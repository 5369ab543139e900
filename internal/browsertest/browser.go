// Package browsertest has tabs of Chromium for tests of pages. A tab acts as a person does (clicks where something is seen, types,
// presses keys), remembers what the page complained about, and leaves a picture when its test fails.
//
// Chromium must be installed, and axe-core be in .tools (`make tools` puts it there).
package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// lasts bounds the life of a browser, wait how long something may take to appear on a page. Neither is a measure of anything.
const (
	lasts = 5 * time.Minute
	wait  = time.Minute
	again = 20 * time.Millisecond // between two looks at a page
)

// Browser is a Chromium of a test. It ends with the test.
type Browser struct {
	ctx context.Context //nolint:containedctx // chromedp's handle of the browser
}

// Start starts a browser.
func Start(t testing.TB) *Browser {
	t.Helper()
	// The test's own context ends before what it leaves behind is cleaned up, and pictures are taken then.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), lasts)
	t.Cleanup(cancel)
	ctx, end := chromedp.NewContext(ctx, chromedp.WithAllocatorOptions(chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true)))
	t.Cleanup(end)
	require.NoError(t, chromedp.Do(ctx), "start the browser")
	return &Browser{ctx: ctx}
}

// Root is the folder of the repository, found from the folder that a test runs in.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		require.NotEqual(t, filepath.Dir(at), at, "no go.mod above %s", dir)
	}
}
