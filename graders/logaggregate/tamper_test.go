package logaggregate

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/assay-run/assay/internal/evidence"
)

const (
	heapStderr  = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n"
	throwStderr = "SyntaxError: Unexpected end of JSON input\n    at JSON.parse (<anonymous>)\n\nNode.js v24.21.0\n"
)

func TestTamperIsAFinding(t *testing.T) {
	t.Parallel()
	tr := plainTruth()
	run := perfect(t, tr)
	run.Executions[0].Probe = &evidence.Probe{Records: 10, Forged: 5}
	m := measure(t, run, tr)
	assert.Equal(t, []string{codeTamper}, codes(m))
	run.Executions[0].Exit.Code = 1
	assert.NotContains(t, codes(measure(t, run, tr)), codeTamper, "who died may not have come to tell the truth")
}
