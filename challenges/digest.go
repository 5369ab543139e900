package challenges

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
)

// Bounds of the files that a digest covers.
const (
	maxDigestFiles     = 2000
	maxDigestFileBytes = 16 << 20
)

// digest returns "sha256:…" over path and content of every file that decides a grading: challenge.yaml, the brief, the
// files that settings name, the reference and the control. Other solutions may change without changing what a score means.
func digest(files fs.FS, ch *Challenge) (string, error) {
	paths := slices.Concat([]string{Manifest, Brief}, ch.Used)
	for _, folder := range []string{ch.Reference, ch.Control.Solution} {
		err := fs.WalkDir(files, folder, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && entry.Name() == "node_modules":
				return fs.SkipDir
			case entry.IsDir():
				return nil
			case len(paths) >= maxDigestFiles:
				return fmt.Errorf("more than %d files", maxDigestFiles)
			}
			paths = append(paths, path)
			return nil
		})
		if err != nil {
			return "", fmt.Errorf("list %s: %w", folder, err)
		}
	}
	slices.Sort(paths)
	h := sha256.New()
	for _, path := range slices.Compact(paths) {
		data, err := readBounded(files, path, maxDigestFileBytes)
		if err != nil {
			return "", fmt.Errorf("digest challenge: %w", err)
		}
		fmt.Fprintf(h, "%s\x00%d\x00", path, len(data)) // a hash does not fail to be written
		h.Write(data)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
