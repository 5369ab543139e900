// Package diskwatch looks how much a build has written, and says so when it is too much. It runs in a container of its own that shares
// the build's PID namespace and sees its folder.
//
// A quota would be better. No engine has one on every file system, so this is a watch: a build is ended a moment after it has gone too
// far, not before.
package diskwatch

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

const (
	// lookEvery is the time between two looks; a look that takes long is followed by a pause of restShare times that.
	lookEvery = 200 * time.Millisecond
	restShare = 3
)

// Over is what Main writes when there is too much, as one line of JSON.
type Over struct {
	Bytes int64 `json:"bytes"` // on disk, so a sparse file counts as what it takes
	Files int64 `json:"files"` // files, directories and whatever else has a name
	// Deep says that directories are nested deeper than anybody needs, and what is below was not counted.
	Deep bool `json:"deep,omitempty"`
}

// Limits bound a directory.
type Limits struct{ Bytes, Files int64 }

// exceeded says whether u is more than allowed.
func (l Limits) exceeded(u Over) bool { return u.Bytes > l.Bytes || u.Files > l.Files || u.Deep }

// Main is the hidden subcommand: -dir DIR -bytes N -files N [-proc /proc]. It looks until there is too much, writes one line to stdout and
// returns nil; or until ctx is over. Files that have been deleted and are still open count too, for the processes that it sees in proc.
func Main(ctx context.Context, args []string, stdout io.Writer) error {
	set := flag.NewFlagSet("disk-watch", flag.ContinueOnError)
	set.SetOutput(io.Discard) // the error says it all
	dir := set.String("dir", "", "directory to watch")
	proc := set.String("proc", "/proc", "where processes are seen")
	var l Limits
	set.Int64Var(&l.Bytes, "bytes", 0, "how much may be in it")
	set.Int64Var(&l.Files, "files", 0, "how many files may be in it")
	if err := set.Parse(args); err != nil {
		return fmt.Errorf("watch disk: %w", err)
	}
	if *dir == "" || l.Bytes <= 0 || l.Files <= 0 {
		return errors.New("watch disk: -dir, -bytes and -files are needed")
	}
	for {
		began := time.Now()
		u, err := Usage(*dir, *proc, l)
		if err != nil {
			return err
		}
		if l.exceeded(u) {
			if err := json.NewEncoder(stdout).Encode(u); err != nil {
				return fmt.Errorf("watch disk: %w", err)
			}
			return nil
		}
		rest := time.NewTimer(max(lookEvery, restShare*time.Since(began)))
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return nil
		}
	}
}
