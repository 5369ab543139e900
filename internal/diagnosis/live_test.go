//go:build integration

package diagnosis

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/assay-run/assay/internal/evidence"
)

var update = flag.Bool("update", false, "write the recordings")

// arrival is a message and when it came.
type arrival struct {
	at      time.Duration
	message []byte
}

// outcome is a program that was run.
type outcome struct {
	messages []arrival
	took     time.Duration
	output   string
	err      error
}

// record runs a program under Node with the preload and collects what it sends.
func record(t *testing.T, name string, options ...string) outcome {
	t.Helper()
	preload, err := filepath.Abs("../../runner/probe/diagnose.mjs")
	require.NoError(t, err)
	return observe(t, func(port int) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "node", append(options, name)...)
		cmd.Dir = filepath.Join("testdata", "programs")
		cmd.Env = append(os.Environ(), "NODE_OPTIONS=--import file://"+preload, fmt.Sprintf("ASSAY_DIAGNOSE_PORT=%d", port))
		return cmd
	})
}

// inContainer does the same with the Node that submissions run on.
func inContainer(t *testing.T, name string) outcome {
	t.Helper()
	programs, err := filepath.Abs("testdata/programs")
	require.NoError(t, err)
	probe, err := filepath.Abs("../../runner/probe")
	require.NoError(t, err)
	return observe(t, func(port int) *exec.Cmd {
		return exec.CommandContext(t.Context(), "docker", "run", "--rm", "--network", "host", "--read-only", "--cap-drop", "ALL",
			"--memory", "1g", "-v", programs+":/assay/app:ro", "-v", probe+":/assay/probe:ro", "-w", "/assay/app",
			"-e", "NODE_OPTIONS=--import file:///assay/probe/diagnose.mjs", "-e", fmt.Sprintf("ASSAY_DIAGNOSE_PORT=%d", port),
			"assay/node:24", "node", name)
	})
}

func observe(t *testing.T, command func(port int) *exec.Cmd) (o outcome) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	began := time.Now()
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		for {
			var size uint32
			if err := binary.Read(conn, binary.BigEndian, &size); err != nil {
				done <- err
				return
			}
			m := make([]byte, size)
			if _, err := io.ReadFull(conn, m); err != nil {
				done <- err
				return
			}
			o.messages = append(o.messages, arrival{time.Since(began), m})
		}
	}()
	out, err := command(l.Addr().(*net.TCPAddr).Port).CombinedOutput()
	o.output, o.err, o.took = string(out), err, time.Since(began)
	assert.NotContains(t, o.output, "debugger", "Node must not speak of it")
	require.NoError(t, l.Close())
	if err := <-done; !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		require.NoError(t, err)
	}
	return o
}

// diagnose explains a program that was run.
func (o outcome) diagnose(t *testing.T) *evidence.Diagnosis {
	t.Helper()
	var r Recording
	for _, a := range o.messages {
		require.NoError(t, r.Add(a.message, a.at))
	}
	return Diagnose(&r, &evidence.Execution{Name: "main", DurationNs: int64(o.took), Exit: evidence.Exit{Status: evidence.Exited}}, 0)
}

// TestPrograms runs each program and expects its line to be named.
func TestPrograms(t *testing.T) {
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) {
			o := record(t, p.name)
			require.NoError(t, o.err, o.output)
			p.check(t, o.diagnose(t))
			if !*update {
				return
			}
			var text bytes.Buffer
			for _, a := range o.messages {
				fmt.Fprintf(&text, "%d %s\n", a.at.Microseconds(), a.message)
			}
			writeRecording(t, p.name, text.Bytes())
		})
	}
}

// TestProgramsInContainer does so with the Node of the images, which strips types itself.
func TestProgramsInContainer(t *testing.T) {
	require.NoError(t, exec.CommandContext(t.Context(), "docker", "image", "inspect", "assay/node:24").Run(), "assay setup makes the image")
	for _, p := range append(programs(), program{name: "typed.ts", fn: "spin", cause: evidence.CauseOwnCode}) {
		if p.name == "spawn.mjs" {
			continue // there is no shell
		}
		t.Run(p.name, func(t *testing.T) {
			o := inContainer(t, p.name)
			require.NoError(t, o.err, o.output)
			p.check(t, o.diagnose(t))
		})
	}
}

// TestKilledProgram is ended without warning: what it had sent is enough.
func TestKilledProgram(t *testing.T) {
	o := record(t, "killed.mjs")
	require.Error(t, o.err)
	d := o.diagnose(t)
	assert.Contains(t, d.Note, "without warning")
	// The stall was never over for the process, so the heartbeat is what tells of it.
	var curve evidence.Thinner
	curve.Add(0.5, 2e9)
	x := &evidence.Execution{DurationNs: int64(o.took), Heartbeat: &evidence.Heartbeat{},
		Series: []evidence.Series{curve.Series(evidence.SeriesHeartbeat, "ns")}}
	var r Recording
	for _, a := range o.messages {
		require.NoError(t, r.Add(a.message, a.at))
	}
	d = Diagnose(&r, x, 0)
	require.NotEmpty(t, d.Stalls)
	assert.Equal(t, &evidence.Place{File: "killed.mjs", Line: program{name: "killed.mjs"}.line(t)}, d.Stalls[0].Blame)
}

// TestQuietProgram cannot tell by its environment that it is looked at, and one that may not be looked at runs as ever.
func TestQuietProgram(t *testing.T) {
	o := record(t, "quiet.mjs")
	require.NoError(t, o.err, o.output)
	assert.Equal(t, "undefined\nundefined\nundefined\n", o.output)
	assert.NotEmpty(t, o.messages)

	o = record(t, "loop.mjs", "--experimental-permission", "--allow-fs-read=*", "--no-warnings")
	require.NoError(t, o.err, o.output)
	assert.NotContains(t, o.output, "rror")
	assert.Contains(t, o.diagnose(t).Note, "sent nothing")
}

func writeRecording(t *testing.T, name string, text []byte) {
	t.Helper()
	dir := filepath.Join("testdata", "recordings")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, err := zip.Write(text)
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(name)+".gz"), packed.Bytes(), 0o644))
}

// TestClock compares the clock that is derived from the arrival of messages with the system's own: profile, process and
// this program all read CLOCK_MONOTONIC.
func TestClock(t *testing.T) {
	began := time.Now()
	var now unix.Timespec
	require.NoError(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	system := time.Duration(now.Nano())
	offset := time.Since(began) // of taking it, far below a millisecond
	o := record(t, "loop.mjs")
	var r Recording
	for _, a := range o.messages {
		require.NoError(t, r.Add(a.message, a.at))
	}
	// record's clock begins a little later than ours; both readings belong to one moment within a few microseconds.
	want := -system
	t.Logf("derived %v, system %v, apart %v (reading took %v)", r.offset, want, r.offset-want, offset)
	assert.InDelta(t, 0, (r.offset - want).Seconds(), 0.005)
	require.NotEmpty(t, r.pieces)
	first := r.seconds(r.pieces[0].from, 0)
	assert.Greater(t, first, 0.0, "the profile began after this program did")
	assert.Less(t, first, 2.0)
}
