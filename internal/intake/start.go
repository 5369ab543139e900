package intake

import (
	"path"
	"slices"
	"strings"

	"github.com/assay-run/assay/internal/schemas"
)

// checkStart checks that the start command runs node on a file that is there.
func (d *description) checkStart(m Manifest) error {
	switch program := m.Start[0]; program {
	case "node":
		return d.checkEntry(m)
	case "npm", "npx", "yarn", "pnpm":
		d.note("The submission is started by %s, which does not pass signals on: a clean stop is then not seen. Start node itself.", program)
		if program == "yarn" || program == "pnpm" {
			d.note("The image has node, npm and npx; %s is there only if the build installs it.", program)
		}
		return nil
	default:
		return d.wrong(`write "start": ["node", "src/main.mjs"] with your own file`, at("start", 0),
			"start begins with %s; it must begin with \"node\"", schemas.Quote(program))
	}
}

func (d *description) checkEntry(m Manifest) error {
	i := entryIndex(m.Start)
	if i < 0 {
		return d.wrong("add the file to start after \"node\" and its options", at("start"), "start names no file to run")
	}
	entry := m.Start[i]
	clean := path.Clean(entry)
	if path.IsAbs(entry) || clean == ".." || strings.HasPrefix(clean, "../") || strings.Contains(entry, `\`) {
		return d.wrong("write it relative to the top of the submission, with /", at("start", i),
			"start runs %s, which is not within the submission", schemas.Quote(entry))
	}
	if d.resolves(clean) {
		return nil
	}
	if slices.ContainsFunc(m.Build, makesFiles) || (len(m.Build) > 0 && strings.HasPrefix(clean, "node_modules/")) {
		d.note("%s, which start runs, is not handed in; the build has to make it.", entry)
		return nil
	}
	return d.wrong("check the path, or add the build step that makes it", at("start", i),
		"start runs %s, which is not in the submission", schemas.Quote(entry))
}

// resolves says whether node would find the file: by its name, with .js, or as a directory with an index.js or a
// package.json.
func (d *description) resolves(name string) bool {
	for _, candidate := range []string{name, name + ".js", name + ".cjs", path.Join(name, "index.js"), path.Join(name, packageFile)} {
		if d.exists(candidate) {
			return true
		}
	}
	return false
}

// makesFiles says whether a build step may make a file outside node_modules: anything but an installation may.
func makesFiles(step []string) bool {
	if len(step) < 2 || !slices.Contains([]string{"npm", "pnpm", "yarn"}, step[0]) {
		return true
	}
	return !slices.Contains([]string{"ci", "i", "install", "add", "clean-install"}, step[1])
}

// entryIndex returns the index of the file that a node command runs, or -1: the first word that is neither an option
// nor the value of one.
func entryIndex(start []string) int {
	for i := 1; i < len(start); i++ {
		switch word := start[i]; {
		case word == "--":
			if i+1 < len(start) {
				return i + 1
			}
			return -1
		case takesValue(word):
			i++
		case !strings.HasPrefix(word, "-") && word != "":
			return i
		}
	}
	return -1
}

// takesValue says whether an option of node has its value in the next word.
func takesValue(option string) bool {
	return slices.Contains([]string{
		"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions", "--title",
		"--env-file", "--env-file-if-exists", "--input-type", "--disable-warning", "--unhandled-rejections",
		"--dns-result-order", "--diagnostic-dir", "--icu-data-dir", "--openssl-config", "--max-http-header-size",
		"--trace-event-categories", "--watch-path", "--localstorage-file", "--redirect-warnings",
	}, option)
}
