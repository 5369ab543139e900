package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrNoCgroup means that the control group of a container cannot be read from here. Everything then comes from /proc.
var ErrNoCgroup = errors.New("control group is not readable")

// Bounds of the search for a container's control group by name.
const (
	searchDepth = 8
	searchDirs  = 20_000
)

// location says where the files of one control group are; directories that do not exist are empty.
type location struct {
	version                   int
	memory, cpuacct, cpu, psi string
	pids                      string
	container, root           string
}

// resolve finds the control group of a container in one of the mounted trees. procCgroup is the content of
// /proc/PID/cgroup of one of its processes, as seen from here, and id the container's full id.
//
// The path in procCgroup is right when the reader shares the host's control group namespace. Otherwise it is relative
// ("0::/../docker-<id>.scope" is what a container sees of its neighbour), or begins above what is mounted here. So
// the path is tried as it is, then without its leading parts, then a directory with the container's name is looked
// for. Whatever is found must carry the id: figures of some other group would be worse than none.
func (f FS) resolve(procCgroup, id string) (location, error) {
	if id == "" {
		return location{}, fmt.Errorf("%w: no container", ErrNoCgroup)
	}
	paths := parseCgroupFile(procCgroup)
	for _, root := range f.Cgroups {
		l := location{root: root, container: id}
		switch {
		case exists(filepath.Join(root, "memory")):
			l.version = 1
			l.memory = l.find([]string{"memory"}, paths["memory"])
			l.cpuacct = l.find([]string{"cpuacct", "cpu,cpuacct"}, paths["cpuacct"])
			l.cpu = l.find([]string{"cpu", "cpu,cpuacct"}, paths["cpu"])
			l.psi = l.find([]string{"unified"}, paths[""])
			l.pids = l.find([]string{"pids"}, paths["pids"])
		case exists(filepath.Join(root, "cgroup.controllers")):
			l.version = 2
			l.memory = l.find([]string{""}, paths[""])
			l.cpuacct, l.cpu, l.psi, l.pids = l.memory, l.memory, l.memory, l.memory
		}
		if l.memory != "" || l.cpuacct != "" {
			return l, nil
		}
	}
	return location{}, fmt.Errorf("%w: none of %s has container %.12s", ErrNoCgroup, strings.Join(f.Cgroups, ", "), id)
}

// parseCgroupFile reads "n:controllers:path" lines into a path by controller; the key of version 2 is empty.
func parseCgroupFile(content string) map[string]string {
	paths := map[string]string{}
	for line := range strings.Lines(content) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for c := range strings.SplitSeq(parts[1], ",") {
			if _, twice := paths[c]; !twice {
				paths[c] = parts[2]
			}
		}
	}
	return paths
}

// find returns the container's directory of a controller, or "".
func (l *location) find(controllers []string, path string) string {
	for _, c := range controllers {
		base := filepath.Join(l.root, c)
		if !exists(base) {
			continue
		}
		rest := filepath.Clean("/" + path) // "/../x" becomes "/x": no path leads out of the tree
		for rest != "/" && rest != "" {
			if dir := filepath.Join(base, rest); strings.Contains(filepath.Base(dir), l.container) && exists(dir) {
				return dir
			}
			_, tail, found := strings.Cut(rest[1:], "/")
			if !found {
				break
			}
			rest = "/" + tail
		}
		if dir := search(base, l.container); dir != "" {
			return dir
		}
	}
	return ""
}

// search looks for a directory that carries the container's id, breadth bounded.
func search(base, id string) string {
	found, visited := "", 0
	depth := strings.Count(base, string(filepath.Separator))
	_ = filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if visited++; visited > searchDirs {
			return filepath.SkipAll
		}
		if err != nil {
			return filepath.SkipDir // vanished or unreadable; the search is best effort
		}
		if !d.IsDir() {
			return nil
		}
		if strings.Contains(d.Name(), id) {
			found = path
			return filepath.SkipAll
		}
		if strings.Count(path, string(filepath.Separator))-depth >= searchDepth {
			return filepath.SkipDir
		}
		return nil
	})
	return found
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
