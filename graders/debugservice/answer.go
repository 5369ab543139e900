package debugservice

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/assay-run/assay/graders/signs"
)

const (
	// bodyLimit bounds the body of an answer, unpackedLimit that of one that was compressed.
	bodyLimit     = 1 << 20
	unpackedLimit = 8 << 20
	// caseWithin bounds a single request.
	caseWithin = 6 * time.Second
)

// seen is what came back for one request, as far as it is judged: the body only as a digest, and its beginning for people.
type seen struct {
	Status int    `json:"status"`
	Type   string `json:"type,omitempty"`
	Digest string `json:"digest,omitempty"`
	Text   string `json:"text,omitempty"`
	Error  string `json:"error,omitempty"`
}

// look makes an answer comparable: JSON by what it says, compressed files by what is in them.
func look(status int, contentType string, body []byte) seen {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = contentType[:min(len(contentType), 60)]
	}
	s := seen{Status: status, Type: kind}
	content := canonical(unpacked(body))
	s.Digest = digest(content)
	s.Text = signs.Quotable(string(content[:min(len(content), 160)]))
	return s
}

// digest stands for a content.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}

// unpacked is the content of a gzip file; one that is none stays as it is.
func unpacked(body []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body
	}
	text, err := io.ReadAll(io.LimitReader(z, unpackedLimit))
	if err != nil {
		return body
	}
	return text
}

// canonical is a JSON text with its keys in order and without space; what is none stays as it is.
func canonical(body []byte) []byte {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return body
	}
	text, err := json.Marshal(v)
	if err != nil {
		return body
	}
	return text
}

// asked is a request on its way: its answer, and how long it took from before the connection was opened, in seconds.
type asked struct {
	seen
	Took float64
	body string
}

// errTooLarge is why an answer counts as none.
var errTooLarge = fmt.Errorf("an answer of %d bytes or more", bodyLimit)

// asking uses a connection for each request, so nothing is sent twice. It is not package exchange, which keeps text: exports are binary.
var asking = &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10}

// ask sends a request over a connection of its own. id names it in the audit log; empty for none.
func ask(ctx context.Context, addr string, c call, id string) asked {
	ctx, cancel := context.WithTimeout(ctx, caseWithin)
	defer cancel()
	began := time.Now()
	failed := func(err error) asked {
		return asked{seen: seen{Error: signs.Quotable(err.Error())}, Took: time.Since(began).Seconds()}
	}
	r, err := http.NewRequestWithContext(ctx, c.Method, "http://"+addr+c.Path, strings.NewReader(c.Body))
	if err != nil {
		return failed(err)
	}
	r.Header.Set("Accept", "application/json")
	if c.Body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if id != "" {
		r.Header.Set("X-Request-Id", id)
	}
	resp, err := asking.RoundTrip(r)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyLimit))
	if err == nil && len(body) == bodyLimit {
		err = errTooLarge
	}
	if err != nil {
		return failed(err)
	}
	took := time.Since(began).Seconds()
	return asked{seen: look(resp.StatusCode, resp.Header.Get("Content-Type"), body), Took: took, body: string(body)}
}
