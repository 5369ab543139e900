package egress

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// maxHello bounds the greeting of a TLS client. With post-quantum key shares it is about 2 KiB.
const maxHello = 32 << 10

// errHelloRead ends the handshake once the greeting has been parsed.
var errHelloRead = errors.New("greeting read")

// readHello reads the greeting of a TLS client from r and returns the server name in it, empty when it has none, and
// the bytes read, which are to be passed on. It returns io.EOF when the client closed without a word.
func readHello(r io.Reader) (name string, greeting []byte, err error) {
	var taken bytes.Buffer
	src := &helloConn{r: io.TeeReader(io.LimitReader(r, maxHello), &taken)}
	// The parser of the standard library, so that we read a greeting the way a strict server does.
	err = tls.Server(src, &tls.Config{
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			name = h.ServerName
			return nil, errHelloRead
		},
	}).Handshake()
	switch {
	case errors.Is(err, errHelloRead):
		return name, taken.Bytes(), nil
	case taken.Len() == 0 && errors.Is(err, io.EOF):
		return "", nil, io.EOF
	}
	return "", nil, fmt.Errorf("this is no TLS greeting: %w", err)
}

// helloConn is a connection that can only be read from: answers of the parser, like alerts, go nowhere.
type helloConn struct{ r io.Reader }

func (c *helloConn) Read(b []byte) (int, error)     { return c.r.Read(b) }
func (*helloConn) Write(b []byte) (int, error)      { return len(b), nil }
func (*helloConn) Close() error                     { return nil }
func (*helloConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*helloConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*helloConn) SetDeadline(time.Time) error      { return nil }
func (*helloConn) SetReadDeadline(time.Time) error  { return nil }
func (*helloConn) SetWriteDeadline(time.Time) error { return nil }
