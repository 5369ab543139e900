package httpcheck

import (
	_ "embed"
	"encoding/json"
	"errors"
	"maps"

	"github.com/assay-run/assay/graders/stubs"
)

//go:embed expect.defs.json
var expectDefs []byte

// SettingsSchema completes the JSON Schema of a workload's settings with the definitions that are shared: #/$defs/expect, capture,
// upstreams, textHeaders, anyBody and what they need.
func SettingsSchema(own []byte) []byte {
	var whole, defs, shared map[string]any
	err := errors.Join(json.Unmarshal(own, &whole), json.Unmarshal(expectDefs, &shared))
	if defs, _ = whole["$defs"].(map[string]any); err != nil || defs == nil {
		panic("httpcheck: a schema of this program is not one") // it is part of the binary
	}
	maps.Copy(defs, shared)
	maps.Copy(defs, stubs.Defs())
	data, err := json.Marshal(whole)
	if err != nil {
		panic(err)
	}
	return data
}
