// Package protocol is the conversation between the host and the driver inside a pod: framed, versioned messages over
// a byte stream in both directions.
//
// The stream is standard input and output of the driver, carried by a container engine. Every frame has a sequence
// number and a code keyed by a secret that the host sends in its first frame, so nothing a submission could get
// printed somewhere is ever taken for a message. Any frame that is not exactly the next one expected ends the stream
// for good: there is no resynchronisation.
//
//	frame   = magic[4] version[2] kind[1] flags[1] length[4] sequence[8] code[16] payload[length]
//	code    = first 16 bytes of HMAC-SHA256(key, direction || header || payload)
//	payload = JSON, gzip'ed where flags say so
package protocol

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// compressAbove is the payload size in bytes from which compression pays.
const compressAbove = 32 << 10

// The directions, as part of the authentication code.
const (
	hostToDriver byte = 'h'
	driverToHost byte = 'd'
)

// Conn is one end of a session. Send may be called from several goroutines; Receive by one. After an error of Receive
// every later call returns the same error.
type Conn struct {
	rw   io.ReadWriter
	host bool

	sendMu  sync.Mutex
	sendKey *authenticator
	sendSeq uint64
	sendErr error

	recvKey *authenticator
	recvSeq uint64
	recvErr error
}

// NewHost makes the host's end of a session with a fresh random key. The first message to be sent is hello, into which
// it puts the key. Receive may be under way before.
func NewHost(rw io.ReadWriter, hello *Hello) *Conn {
	hello.Key = make([]byte, KeyBytes)
	_, _ = rand.Read(hello.Key) // never fails, by its documentation
	return &Conn{
		rw: rw, host: true,
		sendKey: newAuthenticator(hello.Key, hostToDriver),
		recvKey: newAuthenticator(hello.Key, driverToHost),
	}
}

// NewDriver opens a session as the driver: it waits for Hello and takes the key from it.
func NewDriver(rw io.ReadWriter) (*Conn, *Hello, error) {
	c := &Conn{rw: rw}
	m, err := c.Receive()
	if err != nil {
		return nil, nil, fmt.Errorf("receive hello: %w", err)
	}
	hello := m.(*Hello) //nolint:forcetypeassert // Receive lets nothing else through before there is a key
	return c, hello, nil
}

// Send sends one message. It blocks while the other side does not read. After an error the stream is dead.
func (c *Conn) Send(m Message) error {
	payload, flags, err := encode(m)
	if err != nil {
		return err
	}
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	if c.sendErr != nil {
		return c.sendErr
	}
	// The frame is written in one call, so that a pipe that is cut never holds a header without its payload by our doing.
	wire := appendFrame(nil, frame{kind: m.Kind(), flags: flags, seq: c.sendSeq, payload: payload}, c.sendKey)
	c.sendSeq++
	if _, err := c.rw.Write(wire); err != nil {
		c.sendErr = fmt.Errorf("send frame: %w", err)
	}
	return c.sendErr
}

// Receive waits for the next message. It returns io.EOF when the other side ended the stream between two frames, and
// an error wrapping one of the Err… values when the stream is not to be trusted any more.
func (c *Conn) Receive() (Message, error) {
	if c.recvErr != nil {
		return nil, c.recvErr
	}
	m, err := c.receive()
	if err != nil {
		c.recvErr = err
		return nil, err
	}
	return m, nil
}

func (c *Conn) receive() (Message, error) {
	f, header, code, err := readFrame(c.rw)
	if err != nil {
		return nil, err
	}
	var m Message
	if c.recvKey == nil { // only a driver before its first frame: the key that checks the frame is inside it
		if m, err = c.adoptKey(f); err != nil {
			return nil, err
		}
	}
	if !hmac.Equal(code[:], c.recvKey.code(header[:], f.payload)) {
		return nil, ErrMAC
	}
	if f.seq != c.recvSeq {
		return nil, fmt.Errorf("%w: %d, not %d", ErrSequence, f.seq, c.recvSeq)
	}
	c.recvSeq++
	if f.kind.fromHost() == c.host || (m == nil && f.kind == KindHello) {
		return nil, fmt.Errorf("%w: %d", ErrUnexpected, f.kind)
	}
	if m != nil {
		return m, nil
	}
	return decode(f)
}

func (c *Conn) adoptKey(f frame) (Message, error) {
	if f.kind != KindHello {
		return nil, fmt.Errorf("%w: %d before hello", ErrUnexpected, f.kind)
	}
	m, err := decode(f)
	if err != nil {
		return nil, err
	}
	key := m.(*Hello).Key //nolint:forcetypeassert // the kind says so
	if len(key) != KeyBytes {
		return nil, fmt.Errorf("%w: key of %d bytes", ErrPayload, len(key))
	}
	c.recvKey = newAuthenticator(key, hostToDriver)
	c.sendKey = newAuthenticator(key, driverToHost)
	return m, nil
}

func encode(m Message) (payload []byte, flags byte, err error) {
	payload, err = json.Marshal(m)
	if err != nil {
		return nil, 0, fmt.Errorf("encode message: %w", err)
	}
	if len(payload) > MaxMessage {
		return nil, 0, fmt.Errorf("%w: message of %d bytes, at most %d", ErrTooLarge, len(payload), MaxMessage)
	}
	if len(payload) > compressAbove {
		if payload, err = compress(payload); err != nil {
			return nil, 0, err
		}
		flags = flagGzip
	}
	if len(payload) > MaxFrame {
		return nil, 0, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(payload), MaxFrame)
	}
	return payload, flags, nil
}

func compress(p []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("compress message: %w", err)
	}
	if _, err := w.Write(p); err != nil {
		return nil, fmt.Errorf("compress message: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress message: %w", err)
	}
	return b.Bytes(), nil
}

// decode reads the message in a frame. It is called for authentic frames, and for the hello that brings the key.
func decode(f frame) (Message, error) {
	if f.flags&^flagGzip != 0 {
		return nil, fmt.Errorf("%w: unknown flags %#x", ErrPayload, f.flags)
	}
	payload := f.payload
	if f.flags&flagGzip != 0 {
		var err error
		if payload, err = decompress(payload); err != nil {
			return nil, err
		}
	}
	m, err := newMessage(f.kind)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(payload, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	return m, nil
}

func decompress(p []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(p))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	out, err := io.ReadAll(io.LimitReader(r, MaxMessage+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	if len(out) > MaxMessage {
		return nil, fmt.Errorf("%w: more than %d bytes unpacked", ErrTooLarge, MaxMessage)
	}
	return out, nil
}
