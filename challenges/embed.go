package challenges

import (
	"bytes"
	"embed"
	"io/fs"
)

//go:embed all:log-aggregate all:surge-pricing-cpu all:export-backpressure all:resilient-home all:queue-exactly-once
var builtin embed.FS

//go:embed challenge.schema.json
var schema []byte

// Builtin returns the challenges that the binary carries, one folder each, with starters and solutions.
func Builtin() fs.FS { return builtin }

// Schema returns the JSON Schema of challenge.yaml.
func Schema() []byte { return bytes.Clone(schema) }
