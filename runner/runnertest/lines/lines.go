// Package lines is the protocol of the test driver: one JSON object a line, one answer a question. It is small enough
// to be obviously right, so that the conformance suite tests engines and not protocols.
package lines

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// The questions a driver answers.
const (
	OpEcho  = "echo"  // Text comes back as Text
	OpLog   = "log"   // Text is written to standard error
	OpList  = "list"  // the names in directory Path, as Names
	OpRead  = "read"  // the content of file Path, as Text
	OpClear = "clear" // empties directory Path
	OpCount = "count" // which processes that the driver sees have Text in their command line: N, and ids as Names
	OpKill  = "kill"  // kills those processes; N is how many
	OpExit  = "exit"  // ends the driver with code N, without an answer
)

// maxLine bounds a line in bytes.
const maxLine = 4 << 20

// Request is a question.
type Request struct {
	Op   string `json:"op"`
	Text string `json:"text,omitempty"`
	Path string `json:"path,omitempty"`
	N    int    `json:"n,omitempty"`
}

// Response is an answer.
type Response struct {
	Text  string   `json:"text,omitempty"`
	Names []string `json:"names,omitempty"`
	N     int      `json:"n,omitempty"`
	Error string   `json:"error,omitempty"`
}

// ExitError is returned by Serve after OpExit.
type ExitError struct{ Code int }

func (e ExitError) Error() string { return fmt.Sprintf("asked to exit with code %d", e.Code) }

// Serve answers until the end of stream, which is no error.
func Serve(stream io.ReadWriter, log io.Writer) error {
	in := bufio.NewScanner(stream)
	in.Buffer(make([]byte, 0, 64<<10), maxLine)
	out := json.NewEncoder(stream)
	for in.Scan() {
		var q Request
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			return fmt.Errorf("read question: %w", err)
		}
		if q.Op == OpExit {
			return ExitError{Code: q.N}
		}
		a, err := answer(q, log)
		if err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
	}
	return in.Err()
}

func answer(q Request, log io.Writer) (a Response, err error) {
	switch q.Op {
	case OpEcho:
		a.Text = q.Text
	case OpLog:
		_, err = fmt.Fprintln(log, q.Text)
	case OpList:
		var entries []os.DirEntry
		entries, err = os.ReadDir(q.Path)
		for _, e := range entries {
			a.Names = append(a.Names, e.Name())
		}
	case OpRead:
		var text []byte
		text, err = os.ReadFile(q.Path)
		a.Text = string(text)
	case OpClear:
		err = clearDir(q.Path)
	case OpCount, OpKill:
		var pids []int
		pids, err = Find(q.Text)
		for _, pid := range pids {
			a.Names = append(a.Names, strconv.Itoa(pid))
			if q.Op == OpKill {
				err = errors.Join(err, syscall.Kill(pid, syscall.SIGKILL))
			}
		}
		a.N = len(pids)
	default:
		err = fmt.Errorf("unknown question %q", q.Op)
	}
	return a, err
}

func clearDir(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// Find lists the living processes with marker in their command line, this one left out.
func Find(marker string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		cmd, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && bytes.Contains(cmd, []byte(marker)) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Client asks. It may be used from several goroutines.
type Client struct {
	mu  sync.Mutex
	out *json.Encoder
	in  *bufio.Scanner
}

// NewClient asks the driver at the other end of stream.
func NewClient(stream io.ReadWriter) *Client {
	in := bufio.NewScanner(stream)
	in.Buffer(make([]byte, 0, 64<<10), maxLine)
	return &Client{out: json.NewEncoder(stream), in: in}
}

// Ask asks and waits for the answer. A driver that is gone is io.ErrUnexpectedEOF or the stream's own error.
func (c *Client) Ask(q Request) (Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var a Response
	if err := c.out.Encode(q); err != nil {
		return a, fmt.Errorf("ask %s: %w", q.Op, err)
	}
	if !c.in.Scan() {
		err := c.in.Err()
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return a, fmt.Errorf("hear answer to %s: %w", q.Op, err)
	}
	if err := json.Unmarshal(c.in.Bytes(), &a); err != nil {
		return a, fmt.Errorf("read answer to %s: %w", q.Op, err)
	}
	slices.Sort(a.Names)
	if a.Error != "" {
		return a, fmt.Errorf("answer to %s: %s", q.Op, strings.TrimSpace(a.Error))
	}
	return a, nil
}
