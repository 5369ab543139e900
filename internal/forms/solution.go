package forms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// SolutionFile is a file in the folder of a bundled solution, which says that the solution is the program with some causes left, and the other files of the
// folder in place of the program's: {"causes": ["pbkdf2-sync"]}. It spares the challenge a copy of the program for each solution.
const SolutionFile = "form.json"

// Solution is a bundled solution in a folder of the challenge: its files by their path in it. It is nil without an error for a folder that has
// no SolutionFile, which is then the solution as it stands.
func Solution(challenge fs.FS, folder string) (map[string][]byte, error) {
	data, err := fs.ReadFile(challenge, path.Join(folder, SolutionFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read form of a solution: %w", err)
	}
	var m struct {
		Causes []string `json:"causes"`
	}
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&m); err != nil {
		return nil, fmt.Errorf("read %s: %w", path.Join(folder, SolutionFile), err)
	}
	s, err := Load(challenge)
	if err != nil {
		return nil, err
	}
	for _, cause := range m.Causes {
		if _, known := s.pieces[cause]; !known {
			return nil, fmt.Errorf("read %s: there is no cause %q", path.Join(folder, SolutionFile), cause)
		}
	}
	files, _, err := s.With(m.Causes)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", folder, err)
	}
	own := &Set{base: map[string]string{}}
	if err := own.read(challenge, folder, []string{SolutionFile}); err != nil {
		return nil, err
	}
	for name, text := range own.base {
		files[name] = []byte(text)
	}
	return files, nil
}
