package protocol

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Version is the version of the protocol. Both sides must speak the same one; host and driver are one binary.
const Version = 1

// Bounds of a frame.
const (
	// MaxFrame is the largest payload of one frame, as it travels.
	MaxFrame = 16 << 20
	// MaxMessage is the largest payload after decompression.
	MaxMessage = 128 << 20
	// KeyBytes is the length of the session key.
	KeyBytes = 32
)

// Reasons for which a stream is dead. Compare with errors.Is. A stream that ends between two frames gives io.EOF.
var (
	ErrTruncated  = errors.New("stream ended inside a frame")
	ErrMagic      = errors.New("not a frame of this protocol")
	ErrVersion    = errors.New("frame of another protocol version")
	ErrTooLarge   = errors.New("frame is too large")
	ErrSequence   = errors.New("frame is out of sequence")
	ErrMAC        = errors.New("frame has a wrong authentication code")
	ErrPayload    = errors.New("frame has a malformed payload")
	ErrUnexpected = errors.New("frame of an unexpected type")
)

const (
	magic      = "ASY\x01"
	headerSize = 20 // magic 4, version 2, kind 1, flags 1, length 4, sequence 8; big-endian
	macSize    = 16 // HMAC-SHA256, truncated
)

// flagGzip marks a payload that travels compressed.
const flagGzip = 1

// frame is one message as it travels: header, authentication code, payload.
type frame struct {
	kind    Kind
	flags   byte
	seq     uint64
	payload []byte
}

func (f frame) header() [headerSize]byte {
	var h [headerSize]byte
	copy(h[:], magic)
	binary.BigEndian.PutUint16(h[4:], Version)
	h[6], h[7] = byte(f.kind), f.flags
	binary.BigEndian.PutUint32(h[8:], uint32(len(f.payload))) //nolint:gosec // bounded by MaxFrame
	binary.BigEndian.PutUint64(h[12:], f.seq)
	return h
}

// authenticator makes the codes of one direction. The direction is part of the code, so a frame sent back to its
// sender is not taken for an answer.
type authenticator struct {
	mac       hash.Hash
	direction byte
}

func newAuthenticator(key []byte, direction byte) *authenticator {
	return &authenticator{mac: hmac.New(sha256.New, key), direction: direction}
}

func (a *authenticator) code(header, payload []byte) []byte {
	a.mac.Reset()
	a.mac.Write([]byte{a.direction})
	a.mac.Write(header)
	a.mac.Write(payload)
	return a.mac.Sum(nil)[:macSize]
}

// appendFrame appends the bytes of a frame to dst.
func appendFrame(dst []byte, f frame, a *authenticator) []byte {
	h := f.header()
	dst = append(dst, h[:]...)
	dst = append(dst, a.code(h[:], f.payload)...)
	return append(dst, f.payload...)
}

// readFrame reads one frame and checks everything about it but its code, which it returns with the header it covers.
// The payload is read in steps, so a forged length costs no more memory than what really arrives.
func readFrame(r io.Reader) (f frame, header [headerSize]byte, code [macSize]byte, err error) {
	if n, err := io.ReadFull(r, header[:]); err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return f, header, code, io.EOF
		}
		return f, header, code, truncated(err)
	}
	if string(header[:4]) != magic {
		return f, header, code, ErrMagic
	}
	if v := binary.BigEndian.Uint16(header[4:]); v != Version {
		return f, header, code, fmt.Errorf("%w: %d, not %d", ErrVersion, v, Version)
	}
	f.kind, f.flags = Kind(header[6]), header[7]
	length := binary.BigEndian.Uint32(header[8:])
	f.seq = binary.BigEndian.Uint64(header[12:])
	if length > MaxFrame {
		return f, header, code, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, length, MaxFrame)
	}
	if _, err := io.ReadFull(r, code[:]); err != nil {
		return f, header, code, truncated(err)
	}
	f.payload, err = readPayload(r, int(length))
	return f, header, code, err
}

func readPayload(r io.Reader, length int) ([]byte, error) {
	const step = 64 << 10
	payload := make([]byte, 0, min(length, step))
	for len(payload) < length {
		at := len(payload)
		payload = append(payload, make([]byte, min(step, length-at))...)
		if _, err := io.ReadFull(r, payload[at:]); err != nil {
			return nil, truncated(err)
		}
	}
	return payload, nil
}

// truncated turns an end inside a frame into ErrTruncated and keeps every other error.
func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return fmt.Errorf("read frame: %w", err)
}
