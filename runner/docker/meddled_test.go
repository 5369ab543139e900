package docker

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
)

// tells answers with events of a container, and then leaves the stream open as an engine does.
func tells(actions ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, a := range actions {
			_ = json.NewEncoder(w).Encode(map[string]any{
				"Type": "container", "Action": a, "Actor": map[string]any{"ID": "c", "Attributes": map[string]string{"signal": "15"}},
			})
		}
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

func TestEndsBySomebodyElse(t *testing.T) {
	t.Parallel()
	own := evidence.Exit{Status: evidence.Signaled, Code: 143, Signal: "SIGTERM"}
	for name, tt := range map[string]struct {
		events http.HandlerFunc
		code   int
		ours   bool // we had begun to remove it
		want   evidence.Exit
		err    error
		text   string
	}{
		"by itself":                    {events: tells("die"), code: 143, want: own},
		"stopped":                      {events: tells("kill", "die"), code: 143, err: runner.ErrMeddled, text: "it was sent SIGTERM"},
		"stopped, and took it well":    {events: tells("kill", "die"), code: 0, err: runner.ErrMeddled, text: "it was sent SIGTERM"},
		"ended by us":                  {events: tells("kill", "die"), code: 143, ours: true, want: own},
		"paused, and so ended by us":   {events: tells("pause", "kill", "die"), code: 143, ours: true, err: runner.ErrMeddled, text: "paused"},
		"a signal after its end":       {events: tells("die", "kill"), code: 143, want: own},
		"an engine that tells nothing": {events: tells(), code: 143, want: own},
		"an engine that is going":      {events: hangUp, code: 143, err: runner.ErrEngineDown},
		"an engine that breaks off":    {events: reply(http.StatusOK, map[string]string{"Action": "start"}), code: 143, err: runner.ErrEngineDown},
		"an engine that fails":         {events: reply(500, map[string]string{"message": "busy"}), code: 143, err: runner.ErrEngineFault},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, _ := connect(t, map[string]http.HandlerFunc{
				"GET events": tt.events, "GET containers/c/json": reply(200, map[string]any{"State": map[string]any{"Status": "exited"}}),
			})
			c := &candidate{e: e, id: "c", stderr: runner.NewBoundedLog(1024)}
			c.closing.Store(tt.ours)
			exit, err := c.exit(t.Context(), tt.code)
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
				require.ErrorContains(t, err, tt.text)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, exit)
		})
	}
}

func TestSignalName(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "SIGKILL", signalName("9"))
	for _, odd := range []string{"", "x", "-1", "70000"} {
		assert.Equal(t, "a signal", signalName(odd))
	}
}
