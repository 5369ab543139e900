package gradework

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/assay-run/assay/internal/forms"
)

// WriteSolution writes a bundled solution of a challenge into the new folder dst.
func WriteSolution(challenge fs.FS, name, dst string) error {
	made, err := forms.Solution(challenge, name)
	if err != nil {
		return err
	}
	if made != nil {
		return WriteForm(made, dst)
	}
	files, err := fs.Sub(challenge, name)
	if err != nil {
		return err
	}
	return CopyTree(files, dst)
}

// WriteForm writes the files of a form, by their path in it, into the new folder dst.
func WriteForm(files map[string][]byte, dst string) error {
	for name, data := range files {
		target := filepath.Join(dst, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if err := os.WriteFile(target, data, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// CopyTree writes the regular files of src into the new folder dst.
func CopyTree(src fs.FS, dst string) error {
	return fs.WalkDir(src, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
		target := filepath.Join(dst, filepath.FromSlash(name))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := fs.ReadFile(src, name)
		if err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
		return os.WriteFile(target, data, 0o644)
	})
}
