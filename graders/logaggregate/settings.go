package logaggregate

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// kind is what a scenario gives to the submission.
type kind string

const (
	kindPlain     kind = "plain"     // one plain log
	kindGzip      kind = "gzip"      // one compressed log, a single member
	kindAnomalies kind = "anomalies" // the anomaly pack
)

// settings is "with:" of a scenario.
type settings struct {
	kind kind
	size int64 // bytes of text; 0 for anomalies
}

// The bounds of a size. Below the smaller one nothing can be told about memory, beyond the larger one about time.
const (
	minSize = 64 << 10
	maxSize = 64 << 30
)

// parseSettings reads "with:". Errors name the key.
func parseSettings(with map[string]any) (settings, error) {
	var s settings
	for key := range with {
		if key != "kind" && key != "size" {
			return s, fmt.Errorf("with.%s: unknown setting; there are kind and size", key)
		}
	}
	text, _ := with["kind"].(string)
	s.kind = kind(text)
	switch s.kind {
	case kindAnomalies:
		if _, ok := with["size"]; ok {
			return s, errors.New("with.size: the anomaly pack has a fixed size")
		}
		return s, nil
	case kindPlain, kindGzip:
	default:
		return s, fmt.Errorf("with.kind: must be plain, gzip or anomalies, not %v", with["kind"])
	}
	size, err := parseSize(with["size"])
	if err != nil {
		return s, fmt.Errorf("with.size: %w", err)
	}
	s.size = size
	return s, nil
}

// parseSize reads a number of bytes, or a text like "256MiB" or "10GiB".
func parseSize(v any) (int64, error) {
	size := int64(-1)
	switch v := v.(type) {
	case nil:
		return 0, errors.New(`is missing; give a number of bytes or a text like "256MiB"`)
	case int:
		size = int64(v)
	case int64:
		size = v
	case uint64:
		size = int64(min(v, math.MaxInt64))
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			size = int64(v)
		}
	case string:
		size = parseSizeText(v)
	}
	if size < minSize || size > maxSize {
		return 0, fmt.Errorf(`%v is not a size from 64KiB to 64GiB; give a number of bytes or a text like "256MiB"`, v)
	}
	return size, nil
}

// parseSizeText returns -1 for what is not a size.
func parseSizeText(text string) int64 {
	for _, unit := range [...]struct {
		suffix string
		shift  int
	}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"", 0}} {
		digits, ok := strings.CutSuffix(text, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > maxSize>>unit.shift {
			return -1
		}
		return n << unit.shift
	}
	return -1
}

// sizeText is the shortest text for a size.
func sizeText(size int64) string {
	switch {
	case size%(1<<30) == 0:
		return strconv.FormatInt(size>>30, 10) + "GiB"
	case size%(1<<20) == 0:
		return strconv.FormatInt(size>>20, 10) + "MiB"
	case size%(1<<10) == 0:
		return strconv.FormatInt(size>>10, 10) + "KiB"
	}
	return strconv.FormatInt(size, 10)
}

// Check implements graders.Grader.
func (*Grader) Check(with map[string]any) error {
	_, err := parseSettings(with)
	return err
}
