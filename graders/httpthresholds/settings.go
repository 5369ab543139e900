package httpthresholds

import (
	_ "embed"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/assay-run/assay/graders/backends"
	"github.com/assay-run/assay/graders/condition"
	"github.com/assay-run/assay/graders/httpcheck"
	"github.com/assay-run/assay/graders/httpload"
	"github.com/assay-run/assay/graders/settings"
	"github.com/assay-run/assay/graders/stubs"
	"github.com/assay-run/assay/internal/schemas"
)

//go:embed settings.schema.json
var ownSchema []byte

func settingsSchema() []byte { return httpcheck.SettingsSchema(ownSchema) }

// SettingsSchema implements graders.Settings.
func (*Grader) SettingsSchema() []byte { return settingsSchema() }

// with is "with:" of a scenario.
type with struct {
	Load        []part                    `json:"load"`
	Arrivals    string                    `json:"arrivals"`
	WarmUp      string                    `json:"warmUp"`
	Within      string                    `json:"within"`
	Connections int                       `json:"connections"`
	Before      []request                 `json:"before"`
	Requests    []request                 `json:"requests"`
	Env         map[string]string         `json:"env"`
	Heartbeat   *beats                    `json:"heartbeat"`
	Upstreams   map[string]stubs.Upstream `json:"upstreams"`
	Database    *backends.Settings        `json:"database"`
}

// part is a rate and how long it is held.
type part struct {
	Rate float64 `json:"rate"`
	For  string  `json:"for"`
}

// beats is the heartbeat beside the load.
type beats struct {
	Path string  `json:"path"`
	Hz   float64 `json:"hz"`
}

// request is one of the load, or one before it.
type request struct {
	httpcheck.Request
	Capture map[string]string `json:"capture,omitempty"`
	Times   int               `json:"times,omitempty"`
	Share   float64           `json:"share,omitempty"`
	Status  int               `json:"status,omitempty"`
	Expect  *httpcheck.Expect `json:"expect,omitempty"`
}

// Bounds and defaults.
const (
	maxRequests   = 200_000 // of a load
	maxLoad       = 30 * time.Minute
	defaultWarmUp = time.Second
	defaultWithin = 10 * time.Second
	defaultHz     = 100
	defaultPath   = "/healthz"
)

// read reads settings that fit the schema.
func read(settled map[string]any) (with, error) {
	w := with{Arrivals: "random"}
	if err := settings.Decode(Name, settingsSchema(), settled, &w); err != nil {
		return with{}, err
	}
	if h := w.Heartbeat; h != nil {
		if h.Path == "" {
			h.Path = defaultPath
		}
		if h.Hz == 0 {
			h.Hz = defaultHz
		}
	}
	return w, nil
}

// schedule is the load; seed makes random arrivals.
func (w with) schedule(seed []byte) httpload.Schedule {
	var s httpload.Schedule
	for _, p := range w.Load {
		s.Steps = append(s.Steps, httpload.Step{Rate: p.Rate, For: settings.Duration(p.For, time.Second)})
	}
	if w.Arrivals == "random" {
		s.Seed = seed
	}
	return s
}

// Check implements graders.Grader.
func (*Grader) Check(settled map[string]any) error {
	w, err := read(settled)
	if err != nil {
		return err
	}
	var c httpcheck.Checker
	s, count := w.schedule(nil), 0.0
	for _, p := range s.Steps {
		count += p.Rate * p.For.Seconds()
	}
	if err := s.Validate(); err != nil {
		c.Wrong(settings.At("load"), "%v", err)
	}
	if count > maxRequests || s.Duration() > maxLoad {
		c.Wrong(settings.At("load"), "the load has %.0f requests in %s; at most %d in %s are allowed", count, s.Duration(), maxRequests, maxLoad)
	}
	if warm := settings.Duration(w.WarmUp, defaultWarmUp); warm >= s.Duration() {
		at := "warmUp"
		if w.WarmUp == "" {
			at = "load"
		}
		c.Wrong(settings.At(at), "the warm-up of %s leaves nothing of the load of %s", warm, s.Duration())
	}
	known := map[string]bool{httpcheck.VarRun: true, httpcheck.VarI: true}
	for i, r := range w.Before {
		at := settings.At("before", i)
		names := slices.Sorted(maps.Keys(known))
		c.Request(r.Request, at, names)
		for _, name := range slices.Sorted(maps.Keys(r.Capture)) {
			if httpcheck.Reserved(name) {
				c.Wrong(httpcheck.Under(at, "capture", name), "%s has a meaning in expressions; choose another name", schemas.Quote(name))
			}
			c.Expression(condition.Value, r.Capture[name], httpcheck.Under(at, "capture", name), c.Vars(names))
			known[name] = true
		}
	}
	names := slices.Sorted(maps.Keys(known))
	for i, r := range w.Requests {
		at := settings.At("requests", i)
		c.Request(r.Request, at, names)
		c.Expect(r.Expect, httpcheck.Under(at, "expect"), names)
		if r.Expect != nil && r.Expect.All != "" {
			c.Wrong(httpcheck.Under(at, "expect", "all"), "there is no list of answers in a load; all is for repeated requests of http-script")
		}
	}
	return errors.Join(c.Err(), stubs.Check(w.Upstreams, settings.At("upstreams")))
}

// CheckFiles implements graders.Settings.
func (*Grader) CheckFiles(settled map[string]any, files fs.FS) ([]string, error) {
	w, err := read(settled)
	if err != nil {
		return nil, err
	}
	var used []string
	var errs []error
	for i, r := range w.Requests {
		name, err := r.Expect.SchemaFile(files)
		switch {
		case err != nil:
			errs = append(errs, settings.Wrong(settings.At("requests", i, "expect", "schema"), "%v", err))
		case name != "":
			used = append(used, name)
		}
	}
	name, err := w.Database.File(files)
	if err != nil {
		errs = append(errs, settings.Wrong(settings.At("database", "sql"), "%v", err))
	} else if name != "" {
		used = append(used, name)
	}
	return used, errors.Join(errs...)
}
