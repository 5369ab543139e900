package evidence_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

// catalogueCodes is the closed list as the catalogue of challenges has it (§3).
const catalogueCodes = `WRONG_OUTPUT BOUNDARY_LOSS UTF8_SPLIT STATE_LOST OOM_HEAP OOM_CGROUP MEM_UNBOUNDED LEAK
LOOP_BLOCKED STARVATION THREAD_EXPLOSION SLOW SLOW_SERIAL UNBOUNDED_CONCURRENCY BACKPRESSURE_MISSING SOURCE_LEAK
SILENT_TRUNCATION HANG CRASH UNHANDLED ERROR_SWALLOWED BAD_ERRORS RETRY_STORM RETRY_UNSAFE NO_JITTER NO_BACKOFF NO_TIMEOUT
NO_BREAKER NO_FALLBACK STAMPEDE STALE_READ N_PLUS_ONE CONN_STORM POOL_EXHAUSTED SQLI AUTH_BYPASS REPLAY_ACCEPTED
SIG_FALSE_REJECT ACK_TIMEOUT DUPLICATE_EFFECT LOST_EFFECT ORDER_VIOLATION OVERSELL DOUBLE_ASSIGN DIVERGENCE PAGE_DRIFT
GOODPUT_COLLAPSE DROPPED_IN_FLIGHT NOT_DRAINED NOT_ESM CJS_BROKEN PATH_BREAK TYPE_UNSOUND TYPE_SUPPRESSED BOUNDARY_TRUST
CARDINALITY SECRET_LEAK MASKED_FIX TAMPER INVALID_RUN`

// limitCodes are what the catalogue does not have: the limits of every submission.
const limitCodes = "LIMIT_CPU LIMIT_PROCESSES LIMIT_FILES LIMIT_DISK LIMIT_OUTPUT"

func TestCodesAreTheClosedList(t *testing.T) {
	t.Parallel()
	got := make([]string, 0, len(evidence.Codes()))
	for _, c := range evidence.Codes() {
		got = append(got, c.Code)
	}
	assert.ElementsMatch(t, strings.Fields(catalogueCodes+" "+limitCodes), got, "every code once, no other")
}

func TestEveryCodeHasItsSentences(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)
	seen := map[string]string{}
	for _, c := range evidence.Codes() {
		assert.Regexp(t, name, c.Code)
		for reader, text := range map[string]string{"engineer": c.Engineer, "recruiter": c.Recruiter} {
			assert.Truef(t, strings.HasSuffix(text, "."), "%s for the %s is a sentence: %q", c.Code, reader, text)
			assert.NotContainsf(t, strings.TrimSuffix(text, "."), ". ", "%s for the %s is one sentence", c.Code, reader)
			assert.LessOrEqualf(t, len(text), 130, "%s for the %s is short", c.Code, reader)
			assert.Emptyf(t, seen[text], "%s shares a sentence", c.Code)
			seen[text] = c.Code
		}
	}
}

func TestCodeKinds(t *testing.T) {
	t.Parallel()
	for _, c := range evidence.Codes() {
		want := evidence.FaultCode
		switch c.Code {
		case evidence.CodeTamper:
			want = evidence.TamperCode
		case evidence.CodeInvalidRun:
			want = evidence.InvalidCode
		}
		assert.Equal(t, want, c.Kind, c.Code)
	}
}

func TestLookupCode(t *testing.T) {
	t.Parallel()
	doc, ok := evidence.LookupCode("OOM_HEAP")
	require.True(t, ok)
	assert.Equal(t, "OOM_HEAP", doc.Code)
	for _, unknown := range []string{"", "oom_heap", "OOM_HEAP ", "NO_SUCH_CODE"} {
		_, ok := evidence.LookupCode(unknown)
		assert.False(t, ok, "%q", unknown)
	}
}

func TestCodesAreNotShared(t *testing.T) {
	t.Parallel()
	evidence.Codes()[0].Code = "SPOILT"
	_, ok := evidence.LookupCode("WRONG_OUTPUT")
	assert.True(t, ok)
}
