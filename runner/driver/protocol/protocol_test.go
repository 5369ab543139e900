package protocol

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// half is one direction of a stream, and half of a ReadWriter.
type half struct {
	io.Reader
	io.Writer
}

// session is a host and a driver that have shaken hands, with what each sends next in a buffer of its own.
func session(t require.TestingT) (host, driver *Conn, toDriver, toHost *bytes.Buffer) {
	toDriver, toHost = new(bytes.Buffer), new(bytes.Buffer)
	hello := &Hello{Workloads: []string{"x"}}
	host = NewHost(half{toHost, toDriver}, hello)
	require.NoError(t, host.Send(hello))
	driver, got, err := NewDriver(half{toDriver, toHost})
	require.NoError(t, err)
	require.Equal(t, hello, got)
	return host, driver, toDriver, toHost
}

func TestEveryMessageTravels(t *testing.T) {
	t.Parallel()
	fromHost := []Message{
		&Run{Workload: "log-aggregate", Params: json.RawMessage(`{"bytes":10}`), MemoryBytes: 1, EnforceMemory: true, SampleHz: 50, Probe: true, Timeout: 5},
		&CandidateStarted{Ref: 1, ID: "pid:3", Failed: "x"},
		&CandidateExited{Ref: 1, Exit: evidence.Exit{Status: evidence.OOMKilled, Code: 137}},
		&Stop{},
	}
	fromDriver := []Message{
		&Welcome{Version: "1", PID: 1, Workloads: []string{"a"}, UID: 3, CPUs: 2},
		&StartCandidate{Ref: 7, Name: "main", Args: []string{"a b"}, Env: map[string]string{"A": "="}, ProbePort: 9},
		&Kill{Ref: 7},
		&Progress{Progress: workload.Progress{Phase: "main file", Done: 1, Total: 2, Unit: "bytes"}},
		&Log{Text: "ü"},
		&Result{Executions: []evidence.Execution{{Name: "main", Stdout: evidence.Log{Text: strings.Repeat("long ", 100_000)}}}, Notes: []string{"n"}},
		&Failure{Message: "m"},
	}
	host, driver, _, toHost := session(t)
	for _, m := range fromHost {
		require.NoError(t, host.Send(m))
		got, err := driver.Receive()
		require.NoError(t, err)
		assert.Equal(t, m, got)
	}
	for _, m := range fromDriver {
		require.NoError(t, driver.Send(m))
		assert.Less(t, toHost.Len(), 20_000, "what is long is compressed")
		got, err := host.Receive()
		require.NoError(t, err)
		assert.Equal(t, m, got)
	}
	_, err := host.Receive()
	assert.ErrorIs(t, err, io.EOF)
}

func TestRoundTripOfAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		host, driver, _, _ := session(t)
		for range rapid.IntRange(1, 5).Draw(t, "messages") {
			m := &StartCandidate{
				Ref:  rapid.Uint64().Draw(t, "ref"),
				Name: rapid.String().Draw(t, "name"),
				Args: rapid.SliceOfN(rapid.String(), 1, 4).Draw(t, "args"),
				Env:  rapid.MapOfN(rapid.String(), rapid.StringN(0, -1, 100), 1, 4).Draw(t, "env"),
			}
			require.NoError(t, driver.Send(m))
			got, err := host.Receive()
			require.NoError(t, err)
			require.Equal(t, m, got)
		}
	})
}

// tamper changes a stream of two frames; first is the length of the first of them.
func TestBrokenStreams(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tamper func(wire []byte, first int) []byte
		want   error
		after  int // good messages before the error
	}{
		"nothing":         {func([]byte, int) []byte { return nil }, io.EOF, 0},
		"cut in header":   {func(w []byte, _ int) []byte { return w[:10] }, ErrTruncated, 0},
		"cut after head":  {func(w []byte, _ int) []byte { return w[:headerSize] }, ErrTruncated, 0},
		"cut in payload":  {func(w []byte, _ int) []byte { return w[:headerSize+macSize+3] }, ErrTruncated, 0},
		"cut in second":   {func(w []byte, f int) []byte { return w[:f+5] }, ErrTruncated, 1},
		"text":            {func([]byte, int) []byte { return []byte("{\"result\": \"all right\"} and more text") }, ErrMagic, 0},
		"text between":    {func(w []byte, f int) []byte { return append(w[:f:f], "debug: hello from a submission"...) }, ErrMagic, 1},
		"version":         {func(w []byte, _ int) []byte { w[5]++; return w }, ErrVersion, 0},
		"oversized":       {func(w []byte, _ int) []byte { binary.BigEndian.PutUint32(w[8:], MaxFrame+1); return w }, ErrTooLarge, 0},
		"payload changed": {func(w []byte, _ int) []byte { w[headerSize+macSize+4] ^= 1; return w }, ErrMAC, 0},
		"code changed":    {func(w []byte, _ int) []byte { w[headerSize] ^= 1; return w }, ErrMAC, 0},
		"kind changed":    {func(w []byte, _ int) []byte { w[6] = byte(KindResult); return w }, ErrMAC, 0},
		"number changed":  {func(w []byte, _ int) []byte { w[19]++; return w }, ErrMAC, 0},
		"flags changed":   {func(w []byte, _ int) []byte { w[7] = 0x80; return w }, ErrMAC, 0},
		"replayed":        {func(w []byte, f int) []byte { return append(w[:f:f], w[:f]...) }, ErrSequence, 1},
		"reordered":       {func(w []byte, f int) []byte { return append(w[f:len(w):len(w)], w[:f]...) }, ErrSequence, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, driver, _, toHost := session(t)
			require.NoError(t, driver.Send(&Log{Text: "one"}))
			first := toHost.Len()
			require.NoError(t, driver.Send(&Log{Text: "two"}))
			wire := tc.tamper(bytes.Clone(toHost.Bytes()), first)
			toHost.Reset()
			toHost.Write(wire)
			for range tc.after {
				_, err := host.Receive()
				require.NoError(t, err)
			}
			_, err := host.Receive()
			require.ErrorIs(t, err, tc.want)
			_, again := host.Receive()
			assert.Equal(t, err, again, "a dead stream stays dead")
		})
	}
}

func TestForeignKeyIsRefused(t *testing.T) {
	t.Parallel()
	host, _, _, toHost := session(t)
	_, stranger, _, fromStranger := session(t)
	require.NoError(t, stranger.Send(&Result{}))
	toHost.Write(fromStranger.Bytes())
	_, err := host.Receive()
	assert.ErrorIs(t, err, ErrMAC)
}

func TestReflectedFrameIsRefused(t *testing.T) {
	t.Parallel()
	host, _, toDriver, toHost := session(t)
	require.NoError(t, host.Send(&Stop{}))
	toHost.Write(toDriver.Bytes())
	_, err := host.Receive()
	assert.ErrorIs(t, err, ErrMAC)
}

func TestWrongDirectionIsRefused(t *testing.T) {
	t.Parallel()
	host, driver, _, _ := session(t)
	require.NoError(t, driver.Send(&Stop{}), "an authentic frame that a driver must not send")
	_, err := host.Receive()
	require.ErrorIs(t, err, ErrUnexpected)
	require.NoError(t, host.Send(&Hello{Key: make([]byte, KeyBytes)}))
	_, err = driver.Receive()
	assert.ErrorIs(t, err, ErrUnexpected, "a key is taken once")
}

func TestDriverWantsHelloFirst(t *testing.T) {
	t.Parallel()
	var wire bytes.Buffer
	key := newAuthenticator(make([]byte, KeyBytes), hostToDriver)
	for name, f := range map[string]frame{
		"other kind": {kind: KindRun, payload: []byte(`{}`)},
		"no key":     {kind: KindHello, payload: []byte(`{}`)},
		"no JSON":    {kind: KindHello, payload: []byte(`{`)},
		"late":       {kind: KindHello, seq: 1, payload: []byte(`{"key":"` + strings.Repeat("A", 43) + `="}`)},
		"no kind":    {kind: 200, payload: []byte(`{}`)},
	} {
		wire.Reset()
		wire.Write(appendFrame(nil, f, key))
		_, _, err := NewDriver(&wire)
		assert.Error(t, err, name)
	}
}

func TestTooLargeIsNotSent(t *testing.T) {
	t.Parallel()
	host, driver, _, toHost := session(t)
	noise := make([]byte, MaxFrame)
	for i, x := 0, uint32(1); i < len(noise); i++ { // does not compress
		x = x*1664525 + 1013904223
		noise[i] = byte(x>>24)%94 + 33
	}
	huge := &Log{Text: string(noise) + string(noise)}
	require.ErrorIs(t, driver.Send(huge), ErrTooLarge)
	assert.Zero(t, toHost.Len())
	require.NoError(t, driver.Send(&Log{Text: "small"}), "the stream goes on")
	m, err := host.Receive()
	require.NoError(t, err)
	assert.Equal(t, &Log{Text: "small"}, m)
}

func TestSendFromManyGoroutines(t *testing.T) {
	t.Parallel()
	host, driver, _, _ := session(t)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { assert.NoError(t, driver.Send(&Log{Text: "x"})) })
	}
	wg.Wait()
	for range 50 {
		_, err := host.Receive()
		require.NoError(t, err)
	}
}

type brokenWriter struct{ io.Reader }

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("pipe is broken") }

func TestSendAfterErrorFails(t *testing.T) {
	t.Parallel()
	hello := &Hello{}
	c := NewHost(brokenWriter{strings.NewReader("")}, hello)
	first := c.Send(hello)
	require.ErrorContains(t, first, "pipe is broken")
	assert.Equal(t, first, c.Send(&Stop{}))
}

func FuzzReceive(f *testing.F) {
	key := bytes.Repeat([]byte{7}, KeyBytes)
	auth := newAuthenticator(key, driverToHost)
	f.Add(appendFrame(nil, frame{kind: KindLog, payload: []byte(`{"text":"x"}`)}, auth))
	f.Add(appendFrame(nil, frame{kind: KindResult, flags: flagGzip, payload: []byte("\x1f\x8b")}, auth))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, wire []byte) {
		c := &Conn{rw: half{bytes.NewReader(wire), io.Discard}, host: true, recvKey: newAuthenticator(key, driverToHost)}
		for {
			m, err := c.Receive()
			if err != nil {
				return
			}
			if m.Kind().fromHost() {
				t.Fatalf("took %T from a driver", m)
			}
		}
	})
}

func FuzzHello(f *testing.F) {
	hello := &Hello{}
	var wire bytes.Buffer
	if err := NewHost(half{nil, &wire}, hello).Send(hello); err != nil {
		f.Fatal(err)
	}
	f.Add(wire.Bytes())
	f.Fuzz(func(t *testing.T, wire []byte) {
		c, hello, err := NewDriver(half{bytes.NewReader(wire), io.Discard})
		if err == nil && (len(hello.Key) != KeyBytes || c.sendKey == nil) {
			t.Fatal("took a hello without a key")
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(byte(KindResult), byte(flagGzip), []byte("\x1f\x8b"))
	f.Add(byte(KindRun), byte(0), []byte(`{"params":null}`))
	f.Fuzz(func(t *testing.T, kind, flags byte, payload []byte) {
		m, err := decode(frame{kind: Kind(kind), flags: flags, payload: payload})
		if err == nil && m.Kind() != Kind(kind) {
			t.Fatalf("kind %d became %T", kind, m)
		}
	})
}
