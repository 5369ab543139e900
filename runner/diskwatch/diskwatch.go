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
	"sync"
	"time"
)

const (
	// lookEvery is the time between two looks; a look that takes long is followed by a pause of restShare times that.
	lookEvery = 200 * time.Millisecond
	restShare = 3
	// roomEvery is the time between two looks at the room of the file system: who finds none may remove at once what he has written.
	roomEvery = 20 * time.Millisecond
)

// Said is a line of JSON that Main writes: one of the two.
type Said struct {
	// Over says that there is too much in the directory. It is the last line.
	Over *Over `json:"over,omitempty"`
	// Room says that the file system was full, or with -look what it was.
	Room *Room `json:"room,omitempty"`
}

// Over is what a directory has that has too much.
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

// Main is the hidden subcommand: -dir DIR -bytes N -files N [-proc /proc], or -dir DIR -look. It looks until there is too much, or
// until ctx is over, writes lines of Said, and returns nil. Files that have been deleted and are still open count too, for the processes that
// it sees in proc. That the file system is full it says once, and goes on. With -look it says how much room there is, and ends.
func Main(ctx context.Context, args []string, stdout io.Writer) error {
	set := flag.NewFlagSet("disk-watch", flag.ContinueOnError)
	set.SetOutput(io.Discard) // the error says it all
	dir := set.String("dir", "", "directory to watch")
	proc := set.String("proc", "/proc", "where processes are seen")
	look := set.Bool("look", false, "say how much room there is, and end")
	var l Limits
	set.Int64Var(&l.Bytes, "bytes", 0, "how much may be in it")
	set.Int64Var(&l.Files, "files", 0, "how many files may be in it")
	if err := set.Parse(args); err != nil {
		return fmt.Errorf("watch disk: %w", err)
	}
	if *dir == "" || !*look && (l.Bytes <= 0 || l.Files <= 0) {
		return errors.New("watch disk: -dir, -bytes and -files are needed, or -dir and -look")
	}
	w := &watch{dir: *dir, proc: *proc, limits: l, out: json.NewEncoder(stdout)}
	if *look {
		room, err := RoomOf(*dir)
		if err != nil {
			return err
		}
		return w.say(Said{Room: &room})
	}
	return w.run(ctx)
}

// watch is one call of Main.
type watch struct {
	dir, proc string
	limits    Limits

	mu  sync.Mutex // guards out
	out *json.Encoder
}

func (w *watch) say(s Said) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.out.Encode(s); err != nil {
		return fmt.Errorf("watch disk: %w", err)
	}
	return nil
}

// run looks at the directory, and beside it at the room of its file system, which is quick however much is in it.
func (w *watch) run(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	room := make(chan error, 1)
	go func() { room <- w.untilFull(ctx) }()
	err := w.untilOver(ctx)
	end()
	return errors.Join(err, <-room)
}

func (w *watch) untilOver(ctx context.Context) error {
	for {
		began := time.Now()
		u, err := Usage(w.dir, w.proc, w.limits)
		if err != nil {
			return err
		}
		if w.limits.exceeded(u) {
			return w.say(Said{Over: &u})
		}
		if !pause(ctx, max(lookEvery, restShare*time.Since(began))) {
			return nil
		}
	}
}

func (w *watch) untilFull(ctx context.Context) error {
	for {
		room, err := RoomOf(w.dir)
		if err != nil {
			return err
		}
		if room.Full() {
			return w.say(Said{Room: &room})
		}
		if !pause(ctx, roomEvery) {
			return nil
		}
	}
}

// pause waits; false means that ctx is over.
func pause(ctx context.Context, d time.Duration) bool {
	rest := time.NewTimer(d)
	defer rest.Stop()
	select {
	case <-rest.C:
		return true
	case <-ctx.Done():
		return false
	}
}
