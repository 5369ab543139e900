package intake

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/assay-run/assay/internal/schemas"
)

// packageJSON is what matters of package.json.
type packageJSON struct {
	main     string
	start    string // scripts.start
	installs bool   // has dependencies or workspaces
}

// readPackage reads package.json; nil when there is none.
func (d *description) readPackage() (*packageJSON, error) {
	data, err := readSmall(d.root, packageFile, maxPackageBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, describeFailed(packageFile, err)
	}
	doc, err := schemas.ParseJSON(packageFile, data)
	if err != nil {
		return nil, invalid(err)
	}
	// Other tools read this file too and are lenient: a field of another kind counts as absent.
	text := func(v any) string { s, _ := v.(string); return s }
	fields := func(v any) map[string]any { m, _ := v.(map[string]any); return m }
	top := fields(doc.Value)
	p := &packageJSON{main: text(top["main"]), start: text(fields(top["scripts"])["start"])}
	for _, key := range []string{"dependencies", "optionalDependencies", "peerDependencies"} {
		p.installs = p.installs || len(fields(top[key])) > 0
	}
	p.installs = p.installs || top["workspaces"] != nil
	return p, nil
}

// inferStart finds the start command without assay.json: scripts.start when it is a plain node command, else main.
func (d *description) inferStart() ([]string, error) {
	p, err := d.readPackage()
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, d.noStart("there is no " + packageFile + " either")
	}
	d.inferred = packageFile
	words, plain := plainWords(p.start)
	if plain && len(words) > 1 && words[0] == "node" {
		d.note("The start command, %s, is scripts.start of package.json.", strings.Join(words, " "))
		return words, nil
	}
	if p.main != "" {
		d.note("The start command, node %s, is main of package.json.", p.main)
		return []string{"node", p.main}, nil
	}
	if p.start != "" {
		return nil, d.noStart("scripts.start of package.json is " + schemas.Quote(p.start) + ", which is not a plain node command")
	}
	return nil, d.noStart("package.json has neither main nor a plain scripts.start")
}

// noStart says how to add a start command, with a file that is there if one is easily found.
func (d *description) noStart(why string) error {
	entry := "src/main.mjs"
	for _, name := range []string{
		"src/main.mjs", "src/main.js", "src/main.ts", "src/index.mjs", "src/index.js", "src/index.ts", "src/server.js",
		"src/server.ts", "main.mjs", "main.js", "main.ts", "index.mjs", "index.js", "index.ts", "server.js", "app.js",
	} {
		if d.exists(name) {
			entry = name
			break
		}
	}
	start := `"start": ["node", "` + entry + `"]`
	if d.assay != nil {
		return refuse(manifestFile, "add "+start, "it does not say how the submission is started, and %s", why)
	}
	return refuse("", "add "+manifestFile+` at the top: {"challenge": "…", `+start+"}", "there is no %s that says how the submission is started, and %s", manifestFile, why)
}

// plainWords splits a command as a shell would, and says whether it is nothing but words: no operator, variable,
// pattern or assignment.
func plainWords(command string) (words []string, plain bool) {
	var word strings.Builder
	inWord, quote := false, rune(0)
	for _, r := range command {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == '\'':
			word.WriteRune(r)
		case strings.ContainsRune("$`\\\n", r), quote == 0 && strings.ContainsRune("|&;<>()*?[]{}#~!%", r):
			return nil, false
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, quote == 0
}

// inferBuild finds the build when assay.json does not name one: an installation when there are dependencies.
func (d *description) inferBuild() ([][]string, error) {
	p, err := d.readPackage()
	if err != nil || p == nil || !p.installs {
		return nil, err
	}
	if d.exists("package-lock.json") || d.exists("npm-shrinkwrap.json") {
		d.note("The dependencies are installed by npm ci --ignore-scripts, as no build is given.")
		return [][]string{{"npm", "ci", "--ignore-scripts"}}, nil
	}
	for _, other := range []string{"pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb"} {
		if d.exists(other) {
			d.note("%s is not used, because the image has npm only: versions may differ from yours. npm install --package-lock-only makes a package-lock.json.", other)
		}
	}
	d.note("The dependencies are installed by npm install --ignore-scripts, as there is no package-lock.json; versions may differ from yours.")
	return [][]string{{"npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"}}, nil
}

// hasBuild says whether a submission that is still at its origin will be built, so that its node_modules need not be
// copied. What is wrong with it is said later, about the copy.
func hasBuild(source *os.Root) bool {
	var m struct {
		Build *[]json.RawMessage `json:"build"`
	}
	if data, err := readSmall(source, manifestFile, maxManifestBytes); err == nil {
		if json.Unmarshal(data, &m) == nil && m.Build != nil {
			return len(*m.Build) > 0
		}
	}
	d := description{root: source}
	p, err := d.readPackage()
	return err == nil && p != nil && p.installs
}
