package httpscript

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/assay-run/assay/graders/httpcheck"
)

// requestBytes is a step's request with variables filled in.
func (s *step) requestBytes(addr string, vars map[string]any) []byte {
	method, path, _ := strings.Cut(httpcheck.Fill(s.Request, vars), " ")
	var b strings.Builder
	b.WriteString(method + " " + httpcheck.Target(path) + " HTTP/1.1\r\nHost: " + addr + "\r\nConnection: close\r\n")
	body, isJSON := "", false
	switch v := s.Body.(type) {
	case nil:
	case string:
		body = httpcheck.Fill(v, vars)
	default:
		body, isJSON = httpcheck.BodyText(httpcheck.FillValue(v, vars)), true
	}
	given := map[string]bool{}
	for name, value := range s.Headers {
		given[http.CanonicalHeaderKey(name)] = true
		b.WriteString(name + ": " + httpcheck.HeaderText(httpcheck.Fill(value, vars)) + "\r\n")
	}
	if !given["Accept"] {
		b.WriteString("Accept: application/json, */*\r\n")
	}
	if isJSON && !given["Content-Type"] {
		b.WriteString("Content-Type: application/json\r\n")
	}
	if hasBody := s.Body != nil || method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch; hasBody && !given["Content-Length"] {
		b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n" + body)
	return []byte(b.String())
}
