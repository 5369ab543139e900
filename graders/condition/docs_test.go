package condition

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDocs evaluates every line of docs/conditions.md over the variables that the page names, and looks for every function it lists.
func TestDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/conditions.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), "```expr\n")
	require.True(t, found)
	block, rest, _ := strings.Cut(rest, "```")
	answers := []map[string]any{{"status": 201}, {"status": 409}, {"status": 409}}
	vars := map[string]any{
		"input": "3\n5 1 4\n", "output": "1 4 5\n", "expected": "10\n", "status": 201, "headers": map[string]string{"location": "/notes/7"},
		"body": map[string]any{"id": 7.0, "tags": []any{"a", "b"}, "owner": nil}, "answers": answers,
	}
	shape := map[string]any{"input": "", "output": "", "expected": "", "status": 0, "headers": map[string]string{}, "body": nil, "answers": answers}
	lines := strings.Split(strings.TrimSpace(block), "\n")
	require.Greater(t, len(lines), 15)
	for _, line := range lines {
		e, err := Bool(line, shape)
		if !assert.NoError(t, err, line) {
			continue
		}
		yes, why := e.Holds(vars)
		assert.True(t, yes, "%s: %s", line, why)
	}
	more, none, _ := strings.Cut(rest, "There are no")
	names := regexp.MustCompile("`([A-Za-z]+)`")
	for list, exists := range map[string]bool{more: true, none: false} {
		matches := names.FindAllStringSubmatch(list, -1)
		require.NotEmpty(t, matches)
		for _, m := range matches {
			_, err := Value(m[1]+"()", shape) // a known one complains of its arguments
			require.Error(t, err, m[1])
			assert.Equal(t, exists, !strings.Contains(err.Error(), "unknown name"), "%s: %v", m[1], err)
		}
	}
}
