// Package templates holds small complete challenges, one for each kind of work that needs no Go: what `assay challenge new` writes.
package templates

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed all:file-in-file-out all:http-load all:http-script all:stdin-stdout
var files embed.FS

// placeholder is the id that the templates have.
const placeholder = "my-challenge"

// ErrNotEmpty means that there is something in the folder already.
var ErrNotEmpty = errors.New("the folder is not empty")

// Kinds are the names of the templates, which are those of their workloads.
func Kinds() []string {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic(err) // it is part of the binary
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Files returns a template as it is, with placeholders.
func Files(kind string) (fs.FS, error) {
	if info, err := fs.Stat(files, kind); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("there is no template %q", kind)
	}
	return fs.Sub(files, kind)
}

// Write writes a template into a new or empty folder as a challenge with that id.
func Write(kind, id, dir string) error {
	src, err := Files(kind)
	if err != nil {
		return err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return ErrNotEmpty
	}
	return fs.WalkDir(src, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("write template: %w", err)
		}
		target := filepath.Join(dir, filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := fs.ReadFile(src, name)
		if err != nil {
			return fmt.Errorf("write template: %w", err)
		}
		return os.WriteFile(target, bytes.ReplaceAll(data, []byte(placeholder), []byte(id)), 0o644)
	})
}
