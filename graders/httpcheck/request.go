package httpcheck

import (
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Request is a request as it is written, with placeholders.
type Request struct {
	Line    string            `json:"request"` // method and path
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"` // text as it is, anything else as JSON
}

// Filled is a request with all placeholders filled in.
type Filled struct {
	Method, Path string
	Headers      [][2]string // names and values, in the order in which they are sent
	Body         string
}

// Fill fills the placeholders in. Values that come from a submission can break neither request line nor headers.
func (r Request) Fill(vars map[string]any) Filled {
	method, path, _ := strings.Cut(Fill(r.Line, vars), " ")
	f := Filled{Method: method, Path: Target(path)}
	isJSON := false
	switch v := r.Body.(type) {
	case nil:
	case string:
		f.Body = Fill(v, vars)
	default:
		f.Body, isJSON = BodyText(FillValue(v, vars)), true
	}
	given := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		given[http.CanonicalHeaderKey(name)] = true
		f.Headers = append(f.Headers, [2]string{name, HeaderText(Fill(r.Headers[name], vars))})
	}
	if !given["Accept"] {
		f.Headers = append(f.Headers, [2]string{"Accept", "application/json, */*"})
	}
	if isJSON && !given["Content-Type"] {
		f.Headers = append(f.Headers, [2]string{"Content-Type", "application/json"})
	}
	return f
}

// Bytes is the request for a connection of its own. Content-Length is added unless it was given.
func (f Filled) Bytes(addr string) []byte {
	var b strings.Builder
	b.WriteString(f.Method + " " + f.Path + " HTTP/1.1\r\nHost: " + addr + "\r\nConnection: close\r\n")
	length := false
	for _, h := range f.Headers {
		length = length || strings.EqualFold(h[0], "Content-Length") || strings.EqualFold(h[0], "Transfer-Encoding")
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	if has := f.Body != "" || f.Method == http.MethodPost || f.Method == http.MethodPut || f.Method == http.MethodPatch; has && !length {
		b.WriteString("Content-Length: " + strconv.Itoa(len(f.Body)) + "\r\n")
	}
	b.WriteString("\r\n" + f.Body)
	return []byte(b.String())
}

// Request checks the placeholders of a request; names are the variables that are known.
func (c *Checker) Request(r Request, at []any, names []string) {
	c.Placeholders(r.Line, Under(at, "request"), names)
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		c.Placeholders(r.Headers[name], Under(at, "headers", name), names)
	}
	c.Values(r.Body, Under(at, "body"), names)
}

// SchemaFile reads the schema of e where it is a file, puts its content in its place, and returns its name; "" where there is none.
func (e *Expect) SchemaFile(files fs.FS) (name string, err error) {
	if e == nil {
		return "", nil
	}
	name, ok := e.Schema.(string)
	if !ok {
		return "", nil
	}
	schema, err := ReadSchema(files, name)
	if err != nil {
		return "", err
	}
	e.Schema = schema
	return name, nil
}
