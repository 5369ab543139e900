package debugservice

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

const (
	auditName = "audit.log"
	// auditPipe is how much the pipe holds where the kernel lets us say so: a page, which a few lines fill.
	auditPipe = 4 << 10
	// maxAuditLine and maxAuditLines bound what is kept of the log.
	maxAuditLine  = 64 << 10
	maxAuditLines = 20_000
)

// auditLog is the pipe that a submission writes its audit log into, and the shipper that reads it.
type auditLog struct {
	path string
	file *os.File
	wg   sync.WaitGroup

	mu    sync.Mutex
	free  *sync.Cond
	held  bool
	done  bool
	lines map[string]auditLine // by id of the request
}

// auditLine is what is read of a line.
type auditLine struct {
	ID     string `json:"id"`
	URL    string `json:"url"`
	Status int    `json:"status"`
}

// openAudit makes the pipe in a folder that the submission sees, and begins to read. Close ends it.
func openAudit(dir string) (*auditLog, error) {
	path := filepath.Join(dir, auditName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("make audit log: %w", err)
	}
	if err := mkfifo(path); err != nil {
		return nil, fmt.Errorf("make audit log: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil { //nolint:gosec // the submission runs as another user and must write to it
		return nil, fmt.Errorf("make audit log: %w", err)
	}
	// Open for writing too, so that it neither waits for a writer nor ends with the first one.
	f, err := os.OpenFile(path, os.O_RDWR|nonblock, 0)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	narrow(f, auditPipe)
	a := &auditLog{path: path, file: f, lines: map[string]auditLine{}}
	a.free = sync.NewCond(&a.mu)
	a.wg.Go(a.read)
	return a, nil
}

// Close ends the shipper and removes the pipe.
func (a *auditLog) Close() {
	a.mu.Lock()
	a.done = true
	a.mu.Unlock()
	a.free.Broadcast()
	_ = a.file.Close()
	a.wg.Wait()
	_ = os.Remove(a.path)
}

// hold stops reading, as a shipper does that waits for its own disk; release goes on.
func (a *auditLog) hold() { a.set(true) }

func (a *auditLog) release() { a.set(false) }

func (a *auditLog) set(held bool) {
	a.mu.Lock()
	a.held = held
	a.mu.Unlock()
	a.free.Broadcast()
}

// line is the line of a request.
func (a *auditLog) line(id string) (auditLine, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, ok := a.lines[id]
	return l, ok
}

// Read implements io.Reader: nothing is read while the log is held.
func (a *auditLog) Read(p []byte) (int, error) {
	a.mu.Lock()
	for a.held && !a.done {
		a.free.Wait()
	}
	done := a.done
	a.mu.Unlock()
	if done {
		return 0, io.EOF
	}
	return a.file.Read(p[:min(len(p), 1<<10)])
}

// read takes the lines until the log is closed. What is no line of the log is passed over.
func (a *auditLog) read() {
	in := bufio.NewReaderSize(a, maxAuditLine)
	for {
		text, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return
		}
		var l auditLine
		if json.Unmarshal(text, &l) != nil || l.ID == "" || len(l.ID) > 100 {
			continue
		}
		a.mu.Lock()
		if len(a.lines) < maxAuditLines {
			l.URL = l.URL[:min(len(l.URL), 200)]
			a.lines[l.ID] = l
		}
		a.mu.Unlock()
	}
}
