package surgepricing

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/internal/evidence"
)

// small is a run of a few cells, and what a good service answers in it.
func small(f *testing.F) (truth, facts) {
	f.Helper()
	seed := []byte("0123456789abcdef0123456789abcdef")
	loads := []load{{ID: "a", Cells: 60, Iterations: 2}, {ID: "b", Cells: 50, Iterations: 3}, {ID: "c", Cells: 64, Iterations: 1}}
	solved, err := solve(f.Context(), seed, loads, nil)
	require.NoError(f, err)
	good := facts{ReadyNs: 1e8, From: 0, To: 10, Loads: map[string]*answer{}}
	for i, k := range solved {
		body, err := json.Marshal(map[string]any{"epoch": i + 1, "checksum": k.Checksum})
		require.NoError(f, err)
		good.Loads[k.ID] = &answer{Sent: float64(i), Got: float64(i) + 0.5, Status: 200, ContentType: "application/json", Body: string(body)}
	}
	return truth{Kind: kindRebuild, Seed: seed, Loads: solved, Watched: watched(seed), Work: 1}, good
}

// FuzzAnswers replaces the answer to one rebuild and one quote. The judge takes whatever it is, says the same about it twice, in a bounded and
// printable sentence, and no answer but one with the right checksum is right.
func FuzzAnswers(f *testing.F) {
	truth, good := small(f)
	rawTruth, err := json.Marshal(truth)
	require.NoError(f, err)
	sum := truth.Loads[1].Checksum
	for _, body := range []string{
		good.Loads["b"].Body, "", "null", "{}", `{"epoch":2,"checksum":"0"}`, `{"epoch":1,"checksum":"` + sum + `"}`,
		`{"epoch":-9223372036854775808,"checksum":"` + sum + `"}`, `{"epoch":1e300,"checksum":"` + sum + `"}`, `{"epoch":2.5,"checksum":"` + sum + `"}`,
		`{"epoch":0,"checksum":"` + sum + `"}`, `{"epoch":9007199254740993,"checksum":"` + sum + `"}`,
	} {
		f.Add(200, body, `{"cents":1,"multiplier":1,"epoch":0}`)
		f.Add(503, body, `{"cents":1e308,"multiplier":-1e308,"epoch":1e308}`)
	}
	f.Fuzz(func(t *testing.T, status int, body, quote string) {
		changed := good
		changed.Loads = map[string]*answer{"a": good.Loads["a"], "c": good.Loads["c"], "b": {Sent: 1, Got: 1.5, Status: status, Body: strings.ToValidUTF8(body, "\uFFFD")}}
		l := quoteLog{epoch: time.Now()}
		isQuote := l.check(1, heartbeat.Answer{Status: 200, Body: []byte(quote), Sent: l.epoch, Got: l.epoch})
		changed.Quotes = l.taken()
		assert.Equal(t, 1, len(changed.Quotes.Number)+changed.Quotes.Bad, "each answer is counted once")
		assert.Equal(t, isQuote, changed.Quotes.Bad == 0)
		rawFacts, err := json.Marshal(changed)
		require.NoError(t, err)
		ev := evidence.Run{Scenario: "rebuild", Executions: []evidence.Execution{{Name: execution, Facts: rawFacts}}}
		m, err := New().Measure(ev, rawTruth)
		require.NoError(t, err)
		again, err := New().Measure(ev, rawTruth)
		require.NoError(t, err)
		assert.Equal(t, m, again, "a report is recomputed byte for byte")
		_, err = json.Marshal(m)
		require.NoError(t, err)
		got, ok := changed.Loads["b"].rebuilt()
		right := ok && got.Checksum == sum && got.Epoch > 0 && status == 200
		for _, c := range m.Cases {
			if c.Name == "rebuild/b" && c.Right {
				assert.True(t, right, body)
			}
			assert.LessOrEqual(t, utf8.RuneCountInString(c.Detail), 1000)
			assert.Equal(t, -1, strings.IndexFunc(c.Detail, unicode.IsControl), c.Detail)
		}
		assert.GreaterOrEqual(t, m.Values[metricCasesRight], 0.0)
		assert.LessOrEqual(t, m.Values[metricCasesRight], 1.0)
	})
}
