// Package schemas holds the published JSON Schemas and checks documents against them.
//
// A mistake in a file that a person wrote is answered with its place, what was found and what is allowed. The schemas
// are the one description of a format: editors complete from them, and the words of an error are those of the schema's
// descriptions, which are therefore written to follow "expected".
package schemas

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed *.schema.json
var files embed.FS

// Names of the published schemas.
const (
	Assay  = "assay"  // assay.json, which a submission has at its root
	Report = "report" // report.json, which a grading writes
)

// Source returns the text of a published schema.
func Source(name string) ([]byte, error) {
	data, err := files.ReadFile(name + ".schema.json")
	if err != nil {
		return nil, fmt.Errorf("there is no schema %s%s", Quote(name), Choices(name, names()))
	}
	return data, nil
}

// Load returns a published schema, compiled.
func Load(name string) (*Schema, error) {
	data, err := Source(name)
	if err != nil {
		return nil, err
	}
	return Compile(name, data)
}

// Validate checks JSON against a published schema. An error of type Problems is a mistake in data; any other means
// that there is no such schema.
func Validate(name string, data []byte) error {
	schema, err := Load(name)
	if err != nil {
		return err
	}
	doc, err := ParseJSON(name+".json", data)
	if err != nil {
		return err
	}
	return schema.Check(doc)
}

func names() []string {
	paths, err := fs.Glob(files, "*.schema.json")
	if err != nil {
		return nil // only a malformed pattern fails
	}
	for i, path := range paths {
		paths[i] = strings.TrimSuffix(path, ".schema.json")
	}
	return slices.Sorted(slices.Values(paths))
}
