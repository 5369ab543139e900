package catalogue

import (
	"encoding/json"
	"fmt"
	"strings"
)

// maxDepth bounds how deep settings are described: definitions may refer to themselves.
const maxDepth = 4

// Workloads is docs/workloads.md: every workload with its settings and metrics.
func Workloads(docs []WorkloadDoc) (string, error) {
	var b strings.Builder
	b.WriteString(generated)
	b.WriteString("# Workloads: settings and metrics\n\nA scenario of a challenge names a workload, gives it settings (`with:`), and gates and criteria look at its metrics as\n" +
		"`SCENARIO.METRIC`. [authoring.md](authoring.md) walks through a challenge; [challenge-format.md](challenge-format.md) describes the rest of\n`challenge.yaml`.\n\n")
	for _, d := range docs {
		if d.Settings != nil {
			fmt.Fprintf(&b, "- [`%s`](#%s)\n", d.Name, d.Name)
		}
	}
	b.WriteString("- workloads of one challenge each, whose settings are in its `challenge.yaml`: ")
	var own []string
	for _, d := range docs {
		if d.Settings == nil {
			own = append(own, fmt.Sprintf("[`%s`](#%s)", d.Name, d.Name))
		}
	}
	b.WriteString(strings.Join(own, ", ") + "\n")
	for _, d := range docs {
		fmt.Fprintf(&b, "\n## %s\n", d.Name)
		if d.Settings != nil {
			rows, err := settingsRows(d.Settings)
			if err != nil {
				return "", fmt.Errorf("describe settings of %s: %w", d.Name, err)
			}
			b.WriteString("\n| setting | meaning |\n|---|---|\n" + rows)
		}
		b.WriteString("\n| metric | unit | better | meaning |\n|---|---|---|---|\n")
		for _, m := range d.Metrics {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Unit, m.Better, cell(m.Doc))
		}
	}
	return b.String(), nil
}

// settingsRows describes a JSON Schema as rows of a table.
func settingsRows(schema []byte) (string, error) {
	var root map[string]any
	if err := json.Unmarshal(schema, &root); err != nil {
		return "", fmt.Errorf("read schema: %w", err)
	}
	d := describer{root: root}
	d.properties("", root, nil, 0)
	return d.b.String(), nil
}

// describer walks a schema.
type describer struct {
	root map[string]any
	b    strings.Builder
}

// resolve follows a reference; name is that of the definition. What stands beside the reference wins.
func (d *describer) resolve(v any) (schema map[string]any, name string) {
	schema, _ = v.(map[string]any)
	for range maxDepth {
		ref, ok := schema["$ref"].(string)
		if !ok {
			break
		}
		name = strings.TrimPrefix(ref, "#/$defs/")
		defs, _ := d.root["$defs"].(map[string]any)
		target, _ := defs[name].(map[string]any)
		merged := map[string]any{}
		for k, v := range target {
			merged[k] = v
		}
		for k, v := range schema {
			if k != "$ref" {
				merged[k] = v
			}
		}
		schema = merged
	}
	return schema, name
}

// properties describes the keys of a mapping; seen are the definitions around it.
func (d *describer) properties(prefix string, schema map[string]any, seen []string, depth int) {
	if depth >= maxDepth {
		return
	}
	required := map[string]bool{}
	if list, ok := schema["required"].([]any); ok {
		for _, name := range list {
			if text, ok := name.(string); ok {
				required[text] = true
			}
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, key := range sortedKeys(properties) {
		d.value(prefix+key, properties[key], required[key], seen, depth)
	}
	patterns, _ := schema["patternProperties"].(map[string]any)
	for _, key := range sortedKeys(patterns) {
		below, name := d.resolve(patterns[key])
		if !contains(seen, name) {
			d.properties(prefix+"NAME.", below, append(seen, name), depth+1)
		}
	}
}

// value describes one key and what is below it.
func (d *describer) value(path string, v any, required bool, seen []string, depth int) {
	schema, name := d.resolve(v)
	about, _ := schema["description"].(string)
	if required {
		about += " (required)"
	}
	fmt.Fprintf(&d.b, "| `%s` | %s |\n", path, cell(about))
	if name != "" && contains(seen, name) {
		return
	}
	inside := append(append([]string{}, seen...), name)
	d.properties(path+".", schema, inside, depth+1)
	if items, ok := schema["items"]; ok {
		below, of := d.resolve(items)
		if of == "" || !contains(inside, of) {
			d.properties(path+"[].", below, append(inside, of), depth+1)
		}
	}
}

func contains(list []string, name string) bool {
	for _, n := range list {
		if n == name && n != "" {
			return true
		}
	}
	return false
}
