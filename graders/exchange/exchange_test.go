package exchange

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/loopback/loopbacktest"
)

// serve returns the address of a server that stops with the test.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestSend(t *testing.T) {
	t.Parallel()
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/one")
		w.Header().Set("Retry-After", "3")
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte(r.Method + " " + r.URL.String() + " " + r.Header.Get("Content-Type") + " " + r.Header.Get("Connection") + strings.Repeat(".", 9000)))
	})
	epoch := time.Now()
	x, err := Dial(t.Context(), addr, epoch)
	require.NoError(t, err)
	x.BodyLimit, x.Keep = 40, []string{"Location", "Etag"}
	var told int
	a := x.Do(t.Context(), Request(addr, http.MethodPost, "/a?b=c", []byte("{}"), false), func() { told++ })
	assert.Equal(t, 1, told)
	assert.Empty(t, a.Error)
	assert.Equal(t, http.StatusTeapot, a.Status)
	assert.Equal(t, "text/plain", a.ContentType)
	assert.Equal(t, "3", a.RetryAfter)
	assert.Equal(t, map[string]string{"Location": "/one"}, a.Headers)
	assert.Equal(t, "POST /a?b=c application/json close......", a.Body)
	assert.Greater(t, a.Got, a.Sent)

	a = Send(t.Context(), addr, epoch, Request(addr, http.MethodHead, "/", nil, false))
	assert.Empty(t, a.Error, "the answer to HEAD has no body, whatever its headers say")
	assert.Empty(t, a.Body)
}

func TestSendFails(t *testing.T) {
	t.Parallel()
	epoch := time.Now()
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/never":
			<-r.Context().Done()
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("half"))
		}
	})
	a := Send(t.Context(), addr, epoch, Request(addr, http.MethodGet, "/cut", nil, false))
	assert.Equal(t, Closed, a.Error)
	assert.Equal(t, http.StatusOK, a.Status)
	assert.Equal(t, "half", a.Body)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	a = Send(ctx, addr, epoch, Request(addr, http.MethodGet, "/never", nil, false))
	assert.Equal(t, TimeUsedUp, a.Error)
	assert.GreaterOrEqual(t, a.Got-a.Sent, 0.0)

	// A port of 1 is nobody's.
	a = Send(t.Context(), "127.0.0.1:1", epoch, Request("127.0.0.1:1", http.MethodGet, "/", nil, false))
	assert.Contains(t, a.Error, "connection: ")
	assert.Positive(t, a.Got)
}

// FuzzExchange reads what a service says as the answer to one request: what is taken and kept of it is bounded, and how it is cut into segments
// changes nothing.
func FuzzExchange(f *testing.F) {
	for _, seed := range []string{
		"", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 32\r\n\r\n{\"epoch\":1,\"checksum\":\"0011aabb\"}",
		"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
		"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + strings.Repeat("\xff{", 2500), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: " + strings.Repeat("\xc3\xa4", 300) + "\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		ask := func(p *loopbacktest.Peer) *Answer {
			a := (&Exchange{BodyLimit: DefaultBodyLimit, Keep: []string{"Location"}, nc: p, epoch: time.Now()}).Do(context.Background(), nil, nil)
			assert.True(t, p.Closed)
			assert.LessOrEqual(t, p.Taken, headLimit+DefaultBodyLimit)
			return a
		}
		a, b := ask(loopbacktest.Says(said)), ask(loopbacktest.Trickles(said))
		a.Sent, a.Got, b.Sent, b.Got = 0, 0, 0, 0
		assert.Equal(t, a, b, "byte by byte it is the same")
		for _, text := range []string{a.Body, a.ContentType, a.RetryAfter, a.Headers["Location"]} {
			assert.True(t, utf8.ValidString(text), "it goes into the evidence, which is JSON")
		}
		assert.LessOrEqual(t, len(a.Body), 3*DefaultBodyLimit, "a broken byte becomes U+FFFD")
		assert.LessOrEqual(t, len(a.ContentType), 3*headerLimit)
		assert.LessOrEqual(t, len(a.RetryAfter), 3*headerLimit)
		assert.Contains(t, []string{"", Closed, Malformed}, a.Error)
		ask(loopbacktest.Repeats(said, said))
	})
}
