package driver

import (
	"context"
	"io"
	"os"
)

// interruptible returns a reader of stdin whose Read ends when ctx is done, as far as stdin allows it. release must
// be called at the end.
func interruptible(ctx context.Context, stdin io.Reader) (in io.Reader, release func()) {
	if f, ok := stdin.(*os.File); ok {
		stdin = pollable(f)
	}
	c, ok := stdin.(io.Closer)
	if !ok {
		return stdin, func() {}
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() }) // there is nobody to tell
	return stdin, func() {
		stop()
		_ = c.Close()
	}
}
