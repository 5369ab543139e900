package diagnosis

import (
	"strings"

	"github.com/assay-run/assay/internal/evidence"
)

// Names that V8 gives to what is not a function.
const (
	nameRoot    = "(root)"
	nameIdle    = "(idle)"
	nameProgram = "(program)"
	nameGC      = "(garbage collector)"
)

// ourFile marks the functions of Assay's own preloads.
const ourFile = "assay:"

func (f function) kind() evidence.FrameKind {
	switch {
	case f.file == "" || f.file == ourFile:
		return evidence.FrameNative
	case strings.HasPrefix(f.file, "node:"):
		return evidence.FrameNode
	case strings.HasPrefix(f.file, "outside:"):
		return evidence.FrameOutside
	case strings.HasPrefix(f.file, "node_modules/"), strings.Contains(f.file, "/node_modules/"):
		return evidence.FramePackage
	}
	return evidence.FrameOwn
}

// user says that people wrote it for this program: the submission, or a package that it installed.
func (f function) user() bool {
	k := f.kind()
	return k == evidence.FrameOwn || k == evidence.FramePackage
}

// place is the function at a line, or where it begins when the line is not known.
func (f function) place(line int) evidence.Place {
	if line <= 0 {
		line = f.line
	}
	name := f.name
	if name == "(anonymous)" {
		name = ""
	}
	return evidence.Place{Function: name, File: strings.TrimPrefix(f.file, "outside:"), Line: line}
}

// packageName is the name of the package that a file below node_modules belongs to.
func packageName(file string) string {
	const dir = "node_modules/"
	at := strings.LastIndex(file, dir)
	if at < 0 {
		return ""
	}
	parts := strings.SplitN(file[at+len(dir):], "/", 3)
	if strings.HasPrefix(parts[0], "@") && len(parts) > 2 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// syncCall is the public name of a function of Node that does not return before its work is done, e.g. "fs.readFileSync",
// and whether that work is waiting for the disk or another process. The name is empty for any other function.
func syncCall(f function) (name string, io bool) {
	if f.kind() != evidence.FrameNode || !strings.HasSuffix(f.name, "Sync") {
		return "", false
	}
	module := strings.TrimPrefix(strings.TrimPrefix(f.file, "node:"), "internal/")
	module, _, _ = strings.Cut(module, "/")
	return module + "." + f.name, module == "fs" || module == "child_process"
}
