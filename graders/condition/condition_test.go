package condition

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBool(t *testing.T) {
	t.Parallel()
	env := map[string]any{"output": "", "body": nil}
	for source, want := range map[string]bool{
		`output == "a b"`: true, `len(split(output, " ")) == 2`: true, `output matches "^[a-z ]+$"`: true, `body.n > 3`: true, `body.list[0].x == "y"`: true,
		`body.n > 4`: false, `body.missing == nil`: true, `all(body.list, .x == "y")`: true,
	} {
		e, err := Bool(source, env)
		require.NoError(t, err, source)
		yes, why := e.Holds(map[string]any{"output": "a b", "body": map[string]any{"n": 4.0, "list": []any{map[string]any{"x": "y"}}}})
		assert.Empty(t, why, source)
		assert.Equal(t, want, yes, source)
		assert.Equal(t, source, e.String())
	}
	for source, want := range map[string]struct {
		offset  int
		message string
	}{
		`outptu == 1`:             {0, "unknown name outptu"},
		`output == 1`:             {7, "invalid operation"},
		`1 + 2`:                   {0, "it must be true or false, but is"},
		`now() == now()`:          {0, "unknown name now"},
		`output ==`:               {0, "unexpected token EOF"},
		`repeat(output, 5) == ""`: {0, "unknown name repeat"},
	} {
		_, err := Bool(source, env)
		var syntax *SyntaxError
		require.ErrorAs(t, err, &syntax, source)
		assert.Contains(t, syntax.Message, want.message)
		if want.message != "unexpected token EOF" && source != `1 + 2` {
			assert.Equal(t, want.offset, syntax.Offset, source)
		}
	}
}

// TestLarge evaluates over lists as long as inputs have them.
func TestLarge(t *testing.T) {
	t.Parallel()
	e, err := Bool(`let n = map(split(trim(input), " "), int(#)); len(n) == 400000 and sum(map(n, # * 2)) > max(n) and sort(n)[0] == 1`, map[string]any{"input": ""})
	require.NoError(t, err)
	var b strings.Builder
	for i := range 400_000 {
		fmt.Fprintf(&b, "%d ", i+1)
	}
	yes, why := e.Holds(map[string]any{"input": b.String()})
	assert.Empty(t, why)
	assert.True(t, yes)
}

// TestTimeIsBounded evaluates what would take days.
func TestTimeIsBounded(t *testing.T) {
	t.Parallel()
	list := make([]any, 300_000)
	for i := range list {
		list[i] = float64(i)
	}
	for _, source := range []string{
		`all(body, let x = #; count(body, # == x) == 1)`,
		`all(body, # in body)`,
		`len(filter(body, let x = #; any(body, # > x + 1e9))) == 0`,
		`sum(map(body, reduce(body, #acc + #, 0))) > 0`,
		`len(sortBy(body, count(body, # > 0))) > 0`,
	} {
		e, err := Bool(source, map[string]any{"body": nil})
		require.NoError(t, err, source)
		began := time.Now()
		value, why := e.within(20*time.Millisecond, map[string]any{"body": list})
		assert.Nil(t, value, source)
		assert.Contains(t, why, "longer than", source)
		assert.Less(t, time.Since(began), time.Minute)
		_, why = e.within(time.Minute, map[string]any{"body": list[:30]})
		assert.Empty(t, why, source)
	}
	_, err := Bool(`a step`, map[string]any{"body": nil})
	require.Error(t, err)
}

// FuzzHolds evaluates conditions over whatever a submission answers: false is the worst that can come of it.
func FuzzHolds(f *testing.F) {
	f.Add("x", 3.0)
	e, err := Bool(`int(trim(output)) * 2 == body.n or output matches body.pattern`, map[string]any{"output": "", "body": nil})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, output string, n float64) {
		for _, body := range []any{nil, output, n, []any{n}, map[string]any{"n": n, "pattern": output}} {
			yes, why := e.Holds(map[string]any{"output": output, "body": body})
			assert.False(t, yes && why != "")
		}
	})
}
