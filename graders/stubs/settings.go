// Package stubs reads "upstreams:" of a scenario: services that a submission depends on, played by graders/upstream by a script.
package stubs

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/assay-run/assay/graders/settings"
	"github.com/assay-run/assay/graders/upstream"
)

// Upstream is one service, by the name of the variable that its URL is given in.
type Upstream struct {
	Reply
	Rules []Rule   `json:"rules,omitempty"`
	Down  []Window `json:"down,omitempty"`
	Keep  []string `json:"keep,omitempty"` // headers of requests
}

// Rule is a reply with its conditions.
type Rule struct {
	Reply
	Name   string  `json:"name,omitempty"`
	Method string  `json:"method,omitempty"`
	Path   string  `json:"path,omitempty"`
	First  int     `json:"first,omitempty"`
	Last   int     `json:"last,omitempty"`
	From   string  `json:"from,omitempty"`
	To     string  `json:"to,omitempty"`
	Share  float64 `json:"share,omitempty"`
}

// Reply is how a call is answered.
type Reply struct {
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`
	Latency string            `json:"latency,omitempty"`
	Spread  string            `json:"spread,omitempty"`
	Slow    string            `json:"slow,omitempty"`
	Fault   string            `json:"fault,omitempty"`
}

// Window is a time in which nobody listens.
type Window struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Defs are the parts of a JSON Schema that describe upstreams: to be put under "$defs" of a workload's schema, which then refers to
// "#/$defs/upstreams".
func Defs() map[string]any {
	var defs map[string]any
	if err := json.Unmarshal(schema, &defs); err != nil {
		panic(err) // it is part of the binary
	}
	return defs
}

//go:embed upstreams.defs.json
var schema []byte

// reply makes the reply of the upstream package.
func (r Reply) reply() upstream.Reply {
	out := upstream.Reply{
		Status: r.Status, Latency: settings.Duration(r.Latency, 0), Spread: settings.Duration(r.Spread, 0), Slow: settings.Duration(r.Slow, 0),
		Fault: upstream.Fault(r.Fault), Header: http.Header{},
	}
	for name, value := range r.Headers {
		out.Header.Set(name, value)
	}
	switch body := r.Body.(type) {
	case nil:
	case string:
		out.Body = []byte(body)
	default:
		data, err := json.Marshal(body)
		if err == nil { // it was JSON before
			out.Body = data
			if out.Header.Get("Content-Type") == "" {
				out.Header.Set("Content-Type", "application/json")
			}
		}
	}
	return out
}

// Check says what is wrong beyond the schema. at leads to the upstreams.
func Check(all map[string]Upstream, at []any) error {
	var errs []error
	for name, u := range all {
		last := time.Duration(0)
		for i, w := range u.Down {
			from, to := settings.Duration(w.From, 0), settings.Duration(w.To, 0)
			if from >= to || from < last {
				errs = append(errs, settings.Wrong(append(slices.Clip(at), name, "down", i), "times must ascend and lie apart: from before to, and after the one before"))
			}
			last = to
		}
		for i, r := range u.Rules {
			if r.Last > 0 && r.Last < r.First {
				errs = append(errs, settings.Wrong(append(slices.Clip(at), name, "rules", i, "last"), "last is below first"))
			}
		}
	}
	return errors.Join(errs...)
}

// Calls is what an upstream saw.
type Calls struct {
	Total    int `json:"total"`
	Answered int `json:"answered"`
	Open     int `json:"open"` // most connections at one time
	// Seen are the calls, oldest first, as far as they are kept.
	Seen []Call `json:"seen,omitempty"`
}

// Call is one of them.
type Call struct {
	Method string            `json:"method"`
	Path   string            `json:"path"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
	Status int               `json:"status"`
	At     float64           `json:"at"` // seconds since the upstreams were started
}

// maxSeen bounds the calls that become evidence, and keepBody what is kept of their bodies.
const (
	maxSeen  = 500
	keepBody = 1 << 10
)

// Running are upstreams at work.
type Running struct {
	log     *upstream.Log
	names   []string
	servers []*upstream.Server
}

// Start starts all upstreams. They end with Close.
func Start(_ context.Context, all map[string]Upstream, seed []byte) (*Running, error) {
	r := &Running{log: upstream.NewLog(time.Now())}
	for name, u := range all {
		o := upstream.Options{Name: name, Log: r.log, Default: u.reply(), Seed: append(slices.Clone(seed), name...), Keep: u.Keep, KeepBody: keepBody}
		for _, w := range u.Down {
			o.Down = append(o.Down, upstream.Window{From: settings.Duration(w.From, 0), To: settings.Duration(w.To, 0)})
		}
		for _, rule := range u.Rules {
			o.Rules = append(o.Rules, upstream.Rule{
				Name: rule.Name, From: settings.Duration(rule.From, 0), To: settings.Duration(rule.To, 0), First: rule.First, Last: rule.Last,
				Method: strings.ToUpper(rule.Method), Path: rule.Path, Share: rule.Share, Reply: rule.reply(),
			})
		}
		s, err := upstream.Start(o)
		if err != nil {
			r.Close()
			return nil, err
		}
		r.names, r.servers = append(r.names, name), append(r.servers, s)
	}
	return r, nil
}

// Env are the URLs, by the names of their variables.
func (r *Running) Env() map[string]string {
	env := map[string]string{}
	for i, s := range r.servers {
		env[r.names[i]] = s.URL()
	}
	return env
}

// Close ends them all.
func (r *Running) Close() {
	for _, s := range r.servers {
		s.Close()
	}
}

// Calls are what they saw so far, by name.
func (r *Running) Calls() map[string]Calls {
	calls, _ := r.log.Calls()
	conns, _ := r.log.Conns()
	out := map[string]Calls{}
	for _, name := range r.names {
		out[name] = Calls{Open: upstream.MostOpen(conns, name, 0, 1<<62)}
	}
	for _, c := range calls {
		u := out[c.Upstream]
		u.Total = max(u.Total, c.Number)
		if c.How == upstream.Answered {
			u.Answered++
		}
		if len(u.Seen) < maxSeen {
			u.Seen = append(u.Seen, Call{Method: c.Method, Path: c.Path, Header: c.Header, Body: c.Body, Status: c.Status, At: c.Arrived.Seconds()})
		}
		out[c.Upstream] = u
	}
	return out
}
