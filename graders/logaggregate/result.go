package logaggregate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/assay-run/assay/graders/loggen"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// The parts of a result, in the order of the contract.
const (
	partLines      = "lines"
	partBad        = "bad"
	partServices   = "byService"
	partHours      = "byHour"
	partSlowest    = "slowest"
	partCodePoints = "msgCodePoints"
	partCount      = 6
)

// result is what a submission wrote. A part that is missing or has a wrong form is nil, and problems says why.
type result struct {
	lines, bad, codePoints *int64
	services               map[string]loggen.Service
	hours                  map[string]int64
	slowest                []loggen.Slow
	problems               map[string]string
}

// parseResult reads OUT.json. Keys are taken exactly as they are written, additional ones are ignored. The error says
// that there is no result at all, in words for its author.
func parseResult(f *evidence.File) (*result, error) {
	switch {
	case f == nil || f.State == evidence.FileMissing:
		return nil, errors.New("no result was written")
	case f.State == evidence.FileNotRegular:
		return nil, errors.New("the result is not a regular file")
	case f.State == evidence.FileTooLarge:
		return nil, fmt.Errorf("the result is too large (%s bytes)", signs.Number(f.Bytes))
	case f.State != evidence.FileOK:
		return nil, fmt.Errorf("the result cannot be read: %s", f.Detail)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal([]byte(f.Content), &parts); err != nil || parts == nil {
		return nil, errors.New("the result is not a JSON object")
	}
	r := &result{problems: map[string]string{}}
	r.lines = r.integer(parts, partLines)
	r.bad = r.integer(parts, partBad)
	r.codePoints = r.integer(parts, partCodePoints)
	r.services = part(r, parts, partServices, parseServices)
	r.hours = part(r, parts, partHours, parseHours)
	r.slowest = part(r, parts, partSlowest, parseSlowest)
	return r, nil
}

func (r *result) integer(parts map[string]json.RawMessage, name string) *int64 {
	return part(r, parts, name, func(raw json.RawMessage) (*int64, error) {
		n, err := parseInteger(raw)
		return &n, err
	})
}

// part reads one part, or notes why it cannot be read.
func part[T any](r *result, parts map[string]json.RawMessage, name string, parse func(json.RawMessage) (T, error)) T {
	var none T
	raw, ok := parts[name]
	if !ok {
		r.problems[name] = name + " is missing"
		return none
	}
	v, err := parse(raw)
	if err != nil {
		r.problems[name] = name + " " + err.Error()
		return none
	}
	return v
}

// parseInteger accepts every spelling of a whole number that a double holds exactly, e.g. 12, 12.0 and 1.2e1.
func parseInteger(raw json.RawMessage) (int64, error) {
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, nil
	}
	var x float64
	if err := json.Unmarshal(raw, &x); err != nil || string(raw) == "null" || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return 0, fmt.Errorf("is not a whole number: %.40s", raw)
	}
	return int64(x), nil
}

func parseServices(raw json.RawMessage) (map[string]loggen.Service, error) {
	var list map[string]map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || list == nil {
		return nil, errors.New("is not an object of objects")
	}
	services := make(map[string]loggen.Service, len(list))
	for _, name := range slices.Sorted(maps.Keys(list)) { // in order, so that the first problem is the same each time
		var s loggen.Service
		for _, f := range []struct {
			key string
			to  *int64
		}{{"count", &s.Count}, {"errors", &s.Errors}, {"sumMs", &s.SumMs}, {"maxMs", &s.MaxMs}} {
			n, err := parseInteger(list[name][f.key])
			if err != nil {
				return nil, fmt.Errorf("of %.40q: %s %w", name, f.key, err)
			}
			*f.to = n
		}
		services[name] = s
	}
	return services, nil
}

func parseHours(raw json.RawMessage) (map[string]int64, error) {
	var list map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || list == nil {
		return nil, errors.New("is not an object")
	}
	hours := make(map[string]int64, len(list))
	for _, hour := range slices.Sorted(maps.Keys(list)) {
		n, err := parseInteger(list[hour])
		if err != nil {
			return nil, fmt.Errorf("of %.40q %w", hour, err)
		}
		hours[hour] = n
	}
	return hours, nil
}

func parseSlowest(raw json.RawMessage) ([]loggen.Slow, error) {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || list == nil {
		return nil, errors.New("is not a list of objects")
	}
	slowest := make([]loggen.Slow, len(list))
	for i, fields := range list {
		var id *string
		if err := json.Unmarshal(fields["id"], &id); err != nil || id == nil {
			return nil, fmt.Errorf("entry %d has no id", i+1)
		}
		ms, err := parseInteger(fields["ms"])
		if err != nil {
			return nil, fmt.Errorf("entry %d: ms %w", i+1, err)
		}
		slowest[i] = loggen.Slow{ID: *id, Ms: ms}
	}
	return slowest, nil
}
