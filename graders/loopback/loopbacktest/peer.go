// Package loopbacktest plays the other end of a connection, for tests and fuzz targets of what reads answers of a submission.
package loopbacktest

import (
	"bytes"
	"io"
	"net"
	"testing/iotest"
)

// Peer is a connection whose other end says what it says, whatever it is asked.
type Peer struct {
	net.Conn // nil: the rest of a connection is not used
	says     io.Reader
	Taken    int // bytes read from it
	Closed   bool
}

// Says is a peer that says text and hangs up.
func Says(text []byte) *Peer { return &Peer{says: bytes.NewReader(text)} }

// Trickles is a peer that says text byte by byte and hangs up.
func Trickles(text []byte) *Peer { return &Peer{says: iotest.OneByteReader(bytes.NewReader(text))} }

// Repeats is a peer that says head once and then text for ever; an empty text ends it.
func Repeats(head, text []byte) *Peer {
	if len(text) == 0 {
		return Says(head)
	}
	return &Peer{says: io.MultiReader(bytes.NewReader(head), &forever{text: text})}
}

// Read implements net.Conn.
func (p *Peer) Read(b []byte) (int, error) {
	if p.Closed {
		return 0, net.ErrClosed
	}
	n, err := p.says.Read(b)
	p.Taken += n
	return n, err
}

// Write implements net.Conn.
func (*Peer) Write(b []byte) (int, error) { return len(b), nil }

// Close implements net.Conn.
func (p *Peer) Close() error {
	p.Closed = true
	return nil
}

type forever struct {
	text []byte
	at   int
}

func (f *forever) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = f.text[f.at]
		f.at = (f.at + 1) % len(f.text)
	}
	return len(b), nil
}
