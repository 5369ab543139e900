package challenges

import (
	"bytes"
	"embed"
	"encoding/json"
	"io/fs"
)

//go:embed all:log-aggregate all:surge-pricing-cpu all:export-backpressure all:resilient-home all:queue-exactly-once all:debug-slow-service
var builtin embed.FS

//go:embed challenge.schema.json
var schema []byte

// Builtin returns the challenges that the binary carries, one folder each, with starters and solutions.
func Builtin() fs.FS { return builtin }

// Skills returns the skills that a challenge may name, as the schema has them.
func Skills() []string {
	var doc struct {
		Defs struct {
			Skill struct {
				Enum []string `json:"enum"`
			} `json:"skill"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(schema, &doc); err != nil {
		panic("challenges: the schema of this program is none: " + err.Error()) // it is part of the binary
	}
	return doc.Defs.Skill.Enum
}

// Schema returns the JSON Schema of challenge.yaml.
func Schema() []byte { return bytes.Clone(schema) }
