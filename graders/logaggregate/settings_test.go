package logaggregate

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		with map[string]any
		size int64
		want string // part of the error; empty for none
	}{
		{"plain", map[string]any{"kind": "plain", "size": "256MiB"}, 256 << 20, ""},
		{"gzip", map[string]any{"kind": "gzip", "size": "10GiB"}, 10 << 30, ""},
		{"anomalies", map[string]any{"kind": "anomalies"}, 0, ""},
		{"int", map[string]any{"kind": "plain", "size": 1 << 20}, 1 << 20, ""},
		{"int64", map[string]any{"kind": "plain", "size": int64(1 << 20)}, 1 << 20, ""},
		{"uint64", map[string]any{"kind": "plain", "size": uint64(1 << 20)}, 1 << 20, ""},
		{"float64", map[string]any{"kind": "plain", "size": float64(1 << 20)}, 1 << 20, ""},
		{"space before the unit", map[string]any{"kind": "plain", "size": "64 KiB"}, 64 << 10, ""},
		{"digits only", map[string]any{"kind": "plain", "size": "70000"}, 70000, ""},
		{"nothing", nil, 0, "with.kind"},
		{"unknown kind", map[string]any{"kind": "zip", "size": "1MiB"}, 0, "with.kind"},
		{"kind is no text", map[string]any{"kind": 3, "size": "1MiB"}, 0, "with.kind"},
		{"no size", map[string]any{"kind": "plain"}, 0, "with.size: is missing"},
		{"anomalies with size", map[string]any{"kind": "anomalies", "size": "1MiB"}, 0, "fixed size"},
		{"unknown key", map[string]any{"kind": "plain", "size": "1MiB", "sise": 1}, 0, "with.sise"},
		{"too small", map[string]any{"kind": "plain", "size": "1KiB"}, 0, "not a size"},
		{"too large", map[string]any{"kind": "plain", "size": "65GiB"}, 0, "not a size"},
		{"overflow", map[string]any{"kind": "plain", "size": "9999999999999GiB"}, 0, "not a size"},
		{"huge uint64", map[string]any{"kind": "plain", "size": uint64(math.MaxUint64)}, 0, "not a size"},
		{"negative", map[string]any{"kind": "plain", "size": -5}, 0, "not a size"},
		{"fraction", map[string]any{"kind": "plain", "size": 1e6 + 0.5}, 0, "not a size"},
		{"not a number", map[string]any{"kind": "plain", "size": math.NaN()}, 0, "not a size"},
		{"decimal unit", map[string]any{"kind": "plain", "size": "1MB"}, 0, "not a size"},
		{"text", map[string]any{"kind": "plain", "size": "large"}, 0, "not a size"},
		{"list", map[string]any{"kind": "plain", "size": []any{1}}, 0, "not a size"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := New().Check(tt.with)
			if tt.want != "" {
				require.ErrorContains(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			s, err := parseSettings(tt.with)
			require.NoError(t, err)
			assert.Equal(t, tt.size, s.size)
		})
	}
}

func FuzzParseSizeText(f *testing.F) {
	for _, s := range []string{"256MiB", "1GiB", "", "-1KiB", "00064KiB", "MiB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n := parseSizeText(text)
		assert.GreaterOrEqual(t, n, int64(-1))
		assert.LessOrEqual(t, n, int64(maxSize))
		if n >= 0 {
			assert.Equal(t, n, parseSizeText(sizeText(n)), "the shortest text means the same")
		}
	})
}

func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range New().Metrics() {
		assert.NotEmpty(t, m.Doc, m.Name)
		assert.NotEmpty(t, m.Unit, m.Name)
		assert.Contains(t, []evidence.Direction{evidence.LowerIsBetter, evidence.HigherIsBetter, evidence.Neutral}, m.Better, m.Name)
		assert.False(t, seen[m.Name], "%s twice", m.Name)
		seen[m.Name] = true
	}
	assert.Equal(t, "log-aggregate", New().Name())
}

func TestCodesAreInTheList(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		codeOOMHeap, codeOOMCgroup, codeCrash, codeHang, codeWrongOutput, codeBoundaryLoss, codeUTF8Split, codeMemUnbounded, codeTamper,
	} {
		_, ok := evidence.LookupCode(code)
		assert.True(t, ok, code)
	}
}
