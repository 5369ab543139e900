package probe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/diagnosis"
	"github.com/assay-run/assay/internal/evidence"
)

// dial connects to a recorder as the preload does.
func dial(t *testing.T, r *Recorder) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", r.Port()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func frame(message string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(message)))
	return append(b, message...)
}

const (
	hello = `{"t":"hello","v":1,"at":1000,"node":"v24.0.0"}`
	stall = `{"t":"stall","at":2000000,"from":1000000,"to":1500000}`
)

func execution() *evidence.Execution {
	return &evidence.Execution{Name: "main", DurationNs: 3e9, Exit: evidence.Exit{Status: evidence.Exited}}
}

func TestRecorderTakesMessages(t *testing.T) {
	t.Parallel()
	r, err := Record()
	require.NoError(t, err)
	defer r.Close()
	conn := dial(t, r)
	for _, m := range []string{hello, stall, "noise", `{"t":"end"}`} {
		_, err := conn.Write(frame(m))
		require.NoError(t, err)
	}
	require.NoError(t, conn.Close())
	d := r.Diagnose(execution(), r.began)
	assert.Equal(t, 1, d.StallCount)
	assert.Equal(t, evidence.CauseUnknown, d.Stalls[0].Cause)
	assert.Equal(t, int64(5e8), d.Stalls[0].LatencyNs)
	assert.Contains(t, d.Note, "left out (1)")
	assert.Equal(t, d, r.Diagnose(execution(), r.began), "it may be asked again")
}

func TestRecorderWithoutAClient(t *testing.T) {
	t.Parallel()
	r, err := Record()
	require.NoError(t, err)
	began := time.Now()
	d := r.Diagnose(execution(), began)
	assert.Less(t, time.Since(began), settleWithin, "nobody is waited for")
	assert.Contains(t, d.Note, "sent nothing")
	r.Close()
}

// TestRecorderTakesWhatWaits in the queue: a process that connected, sent all and ended before the recorder had its turn.
func TestRecorderTakesWhatWaits(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	r := &Recorder{listener: l, began: time.Now(), done: make(chan struct{})}
	conn := dial(t, r)
	for _, m := range []string{hello, stall, `{"t":"end"}`} {
		_, err := conn.Write(frame(m))
		require.NoError(t, err)
	}
	require.NoError(t, conn.Close())
	r.endQueue()
	go r.receive()
	assert.Equal(t, 1, r.Diagnose(execution(), r.began).StallCount)
}

// TestRecorderIsNotHeldUp by a client that never ends, one that promises much, or a second one.
func TestRecorderIsNotHeldUp(t *testing.T) {
	t.Parallel()
	r, err := Record()
	require.NoError(t, err)
	conn := dial(t, r)
	_, err = conn.Write(append(frame(hello), 0, 0, 0xff, 0xff, 'x')) // and the rest never comes
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return !r.recording.Empty()
	}, 5*time.Second, time.Millisecond)
	_, err = net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", r.Port()))
	require.Error(t, err, "there is one connection")
	d := r.Diagnose(execution(), r.began)
	assert.Contains(t, d.Note, "without warning")

	large, err := Record()
	require.NoError(t, err)
	defer large.Close()
	conn = dial(t, large)
	_, err = conn.Write(binary.BigEndian.AppendUint32(nil, diagnosis.MaxFrameBytes+1))
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "it hangs up")
}

// TestRecorderIsBounded takes no more than a run may send, be it in large messages or in empty ones.
func TestRecorderIsBounded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		noise  []byte
		within int // bytes
	}{
		"large messages": {frame(string(make([]byte, 1<<20))), diagnosis.MaxTotalBytes},
		"empty messages": {make([]byte, 1<<20), diagnosis.MaxTotalBytes / leastBytes * 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Record()
			require.NoError(t, err)
			defer r.Close()
			conn := dial(t, r)
			require.NoError(t, conn.SetWriteDeadline(time.Now().Add(20*time.Second)))
			sent := 0
			for ; sent < 2*tt.within+32<<20; sent += len(tt.noise) {
				if _, err = conn.Write(tt.noise); err != nil {
					break
				}
			}
			require.Error(t, err, "it hangs up")
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			assert.Less(t, sent, tt.within+16<<20, "what is on the way comes on top")
		})
	}
}

// FuzzReadMessage reads a stream as messages: none is larger than it may be, none is made up, and what was read is the stream.
func FuzzReadMessage(f *testing.F) {
	f.Add(append(frame(hello), frame(stall)...))
	f.Add(append(frame(""), 0, 0, 0, 9, 'x'))
	f.Add(binary.BigEndian.AppendUint32(nil, diagnosis.MaxFrameBytes+1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0})
	f.Fuzz(func(t *testing.T, wire []byte) {
		stream := bytes.NewReader(wire)
		var read []byte
		for {
			before := stream.Len()
			message, err := readMessage(stream)
			if err != nil {
				if errors.Is(err, errMessageSize) {
					assert.Equal(t, before-4, stream.Len(), "nothing of a message that is too large is read")
				}
				break
			}
			assert.LessOrEqual(t, len(message), diagnosis.MaxFrameBytes)
			read = append(read, frame(string(message))...)
		}
		assert.True(t, bytes.HasPrefix(wire, read))
		if rest := wire[len(read):]; len(rest) >= 4 {
			size := binary.BigEndian.Uint32(rest)
			assert.True(t, size > diagnosis.MaxFrameBytes || int(size) > len(rest)-4, "a whole message was left over")
		}
	})
}
