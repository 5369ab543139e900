package intake

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func manifestOf(t *testing.T, files map[string]string, challenge string) (*Submission, error) {
	t.Helper()
	var entries []entry
	for name, text := range files {
		entries = append(entries, entry{name: name, text: text})
	}
	s, err := Open(t.Context(), lay(t, entries), Options{Name: "work", Challenge: challenge, TempDir: t.TempDir()})
	if err == nil {
		t.Cleanup(func() { assert.NoError(t, s.Close()) })
	}
	return s, err
}

func TestManifestRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		assay string
		want  string
	}{
		"not JSON":              {"{\n  \"challenge\": tiny\n}", `assay.json:2:16: not valid JSON: invalid character 'i' in literal true (expecting 'r')`},
		"ends early":            {`{"challenge": "tiny"`, `assay.json:1:21: not valid JSON: the file ends too early`},
		"comma too many":        {"{\n  \"challenge\": \"tiny\",\n}", `assay.json:3:1: not valid JSON: invalid character '}' looking for beginning of object key string`},
		"comment":               {"// mine\n{}", `assay.json:1:1: not valid JSON: invalid character '/' looking for beginning of value`},
		"two values":            {"{\"challenge\": \"tiny\"}\n{}", `assay.json:2:1: there is more after the end of the JSON value`},
		"empty":                 {"", `assay.json:1:1: not valid JSON: the file ends too early`},
		"duplicate key":         {"{\"challenge\": \"tiny\",\n \"challenge\": \"other\"}", `assay.json:2:2: key "challenge" is there twice; it is first on line 1`},
		"list":                  {"[]", `assay.json:1:1: the file is a list instead of a mapping; expected a mapping that tells Assay how to build and start a submission`},
		"deep":                  {`{"challenge": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}`, `assay.json:1:46: nested deeper than 32 levels`},
		"no challenge":          {`{"start": ["node", "a.mjs"]}`, `assay.json:1:1: the file has no "challenge": the id of the challenge that this submission answers, such as "log-aggregate"`},
		"unknown key":           {"{\"challenge\": \"tiny\",\n  \"strt\": [\"node\", \"a.mjs\"]}", `assay.json:2:3: unknown key "strt"; did you mean start? (allowed: $schema, build, challenge, env, form, node, start)`},
		"id":                    {`{"challenge": "Tiny"}`, `assay.json:1:15: challenge is "Tiny"; expected the id of the challenge that this submission answers, such as "log-aggregate"`},
		"another challenge":     {`{"challenge": "other"}`, `assay.json:1:15: the submission is for challenge "other", and this is "tiny"; set it to "tiny", or choose the other challenge`},
		"start is text":         {`{"challenge": "tiny", "start": "node a.mjs"}`, `assay.json:1:32: start is "node a.mjs" (text) instead of a list; expected a command as a list of words, such as ["node", "src/main.mjs"]; no shell reads it`},
		"start is empty":        {`{"challenge": "tiny", "start": []}`, `assay.json:1:32: start has 0 entries; at least 1 are needed; expected a command as a list of words, such as ["node", "src/main.mjs"]; no shell reads it`},
		"start is a number":     {`{"challenge": "tiny", "start": ["node", 1]}`, `assay.json:1:41: start[1] is 1 (a number) instead of text: put it in quotes, "1"; expected one word of at most 1024 characters without control characters`},
		"start is no node":      {"{\"challenge\": \"tiny\",\n  \"start\": [\"tsx\", \"a.ts\"]}", `assay.json:2:13: start begins with "tsx"; it must begin with "node"; write "start": ["node", "src/main.mjs"] with your own file`},
		"start is a path":       {`{"challenge": "tiny", "start": ["/usr/bin/node", "a.mjs"]}`, `assay.json:1:33: start begins with "/usr/bin/node"; it must begin with "node"; write "start": ["node", "src/main.mjs"] with your own file`},
		"start has no file":     {`{"challenge": "tiny", "start": ["node", "--enable-source-maps"]}`, `assay.json:1:32: start names no file to run; add the file to start after "node" and its options`},
		"start has no file 2":   {`{"challenge": "tiny", "start": ["node", "--import", "a.mjs"]}`, `assay.json:1:32: start names no file to run; add the file to start after "node" and its options`},
		"file is missing":       {"{\"challenge\": \"tiny\",\n  \"start\": [\"node\", \"--title\", \"x\", \"src/b.mjs\"]}", `assay.json:2:37: start runs "src/b.mjs", which is not in the submission; check the path, or add the build step that makes it`},
		"file is absolute":      {`{"challenge": "tiny", "start": ["node", "/a.mjs"]}`, `assay.json:1:41: start runs "/a.mjs", which is not within the submission; write it relative to the top of the submission, with /`},
		"file is outside":       {`{"challenge": "tiny", "start": ["node", "src/../../a.mjs"]}`, `assay.json:1:41: start runs "src/../../a.mjs", which is not within the submission; write it relative to the top of the submission, with /`},
		"install makes no file": {`{"challenge": "tiny", "start": ["node", "dist/a.mjs"], "build": [["npm", "ci"]]}`, `assay.json:1:41: start runs "dist/a.mjs", which is not in the submission; check the path, or add the build step that makes it`},
		"build is one command": {`{"challenge": "tiny", "build": ["npm", "ci"]}`, `assay.json:1:33: build[0] is "npm" (text) instead of a list; expected a command as a list of words, such as ["node", "src/main.mjs"]; no shell reads it
assay.json:1:40: build[1] is "ci" (text) instead of a list; expected a command as a list of words, such as ["node", "src/main.mjs"]; no shell reads it`},
		"build has no program": {`{"challenge": "tiny", "start": ["node", "a.mjs"], "build": [[""]]}`, `assay.json:1:62: the command is empty; name a program, such as npm`},
		"node is a number":     {`{"challenge": "tiny", "node": 24}`, `assay.json:1:31: node is 24: put it in quotes, "24"`},
		"node is odd":          {`{"challenge": "tiny", "node": "23"}`, `assay.json:1:31: node is "23"; allowed: 22, 24, 26`},
		"env name":             {`{"challenge": "tiny", "env": {"A-B": "1"}}`, `assay.json:1:31: unknown key "A-B"; expected a mapping of environment variables to text; a name has letters, digits and _ and does not begin with a digit`},
		"env number":           {`{"challenge": "tiny", "env": {"LEVEL": 1}}`, `assay.json:1:40: env.LEVEL is 1 (a number) instead of text: put it in quotes, "1"`},
		"env of ours":          {"{\"challenge\": \"tiny\", \"start\": [\"node\", \"a.mjs\"],\n \"env\": {\"PORT\": \"80\"}}", `assay.json:2:18: PORT is set by the challenge; leave it out`},
		"env of a stub":        {`{"challenge": "tiny", "start": ["node", "a.mjs"], "env": {"RATES_URL": "x"}}`, `assay.json:1:72: RATES_URL is set by the challenge; leave it out`},
		"control characters":   {"{\"challenge\": \"tiny\", \"start\": [\"no\\u001b[31mde\", \"a.mjs\"]}", `assay.json:1:33: start[0] is "no\x1b[31mde"; expected one word of at most 1024 characters without control characters`},
		"NUL":                  {`{"challenge": "tiny", "start": ["node", "a\u0000.mjs"]}`, `assay.json:1:41: start[1] is "a\x00.mjs"; expected one word of at most 1024 characters without control characters`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := manifestOf(t, map[string]string{"assay.json": tt.assay, "a.mjs": "1"}, "tiny")
			var fault *Error
			require.ErrorAs(t, err, &fault)
			assert.Equal(t, tt.want, err.Error())
		})
	}
}

func TestStartIsInferred(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files map[string]string
		start []string
		note  string
	}{
		"scripts.start": {
			map[string]string{"package.json": `{"main": "b.js", "scripts": {"start": "node --title 'my app' src/a.mjs"}}`, "src/a.mjs": "1"},
			[]string{"node", "--title", "my app", "src/a.mjs"},
			"The start command, node --title my app src/a.mjs, is scripts.start of package.json.",
		},
		"main": {
			map[string]string{"package.json": `{"main": "src/a.js", "scripts": {"start": "NODE_ENV=production node src/a.js"}}`, "src/a.js": "1"},
			[]string{"node", "src/a.js"},
			"The start command, node src/a.js, is main of package.json.",
		},
		"main without ending": {
			map[string]string{"package.json": `{"main": "./src"}`, "src/index.js": "1"},
			[]string{"node", "./src"},
			"The start command, node ./src, is main of package.json.",
		},
		"assay.json without start": {
			map[string]string{"assay.json": `{"challenge": "tiny"}`, "package.json": `{"main": "a.ts"}`, "a.ts": "1"},
			[]string{"node", "a.ts"},
			"The start command, node a.ts, is main of package.json.",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := manifestOf(t, tt.files, "tiny")
			require.NoError(t, err)
			assert.Equal(t, tt.start, s.Manifest.Start)
			assert.Empty(t, s.Manifest.Build)
			assert.Equal(t, []string{tt.note}, s.Notes)
		})
	}
}

func TestStartCannotBeInferred(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":         {map[string]string{"src/index.js": "1"}, `there is no assay.json that says how the submission is started, and there is no package.json either; add assay.json at the top: {"challenge": "…", "start": ["node", "src/index.js"]}`},
		"only challenge":  {map[string]string{"assay.json": `{"challenge": "tiny"}`}, `"assay.json": it does not say how the submission is started, and there is no package.json either; add "start": ["node", "src/main.mjs"]`},
		"shell":           {map[string]string{"package.json": `{"scripts": {"start": "npm run build && node dist/a.js"}}`}, `there is no assay.json that says how the submission is started, and scripts.start of package.json is "npm run build && node dist/a.js", which is not a plain node command; add assay.json at the top: {"challenge": "…", "start": ["node", "src/main.mjs"]}`},
		"empty package":   {map[string]string{"package.json": `{}`, "server.js": "1"}, `there is no assay.json that says how the submission is started, and package.json has neither main nor a plain scripts.start; add assay.json at the top: {"challenge": "…", "start": ["node", "server.js"]}`},
		"broken package":  {map[string]string{"package.json": "{\n  \"main\": }"}, `package.json:2:11: not valid JSON: invalid character '}' looking for beginning of value`},
		"main is missing": {map[string]string{"package.json": `{"main": "lib/a.js"}`}, `"package.json": start runs "lib/a.js", which is not in the submission; check the path, or add the build step that makes it`},
		"odd kinds":       {map[string]string{"package.json": `{"main": 3, "scripts": ["node a.js"], "dependencies": "all"}`}, `there is no assay.json that says how the submission is started, and package.json has neither main nor a plain scripts.start; add assay.json at the top: {"challenge": "…", "start": ["node", "src/main.mjs"]}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := manifestOf(t, tt.files, "tiny")
			var fault *Error
			require.ErrorAs(t, err, &fault)
			assert.Equal(t, tt.want, err.Error())
		})
	}
}

func TestBuildIsInferred(t *testing.T) {
	t.Parallel()
	install := [][]string{{"npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"}}
	tests := map[string]struct {
		pkg   string
		lock  string
		assay string
		build [][]string
	}{
		"lock file":           {`{"dependencies": {"fastify": "5"}}`, "package-lock.json", "", [][]string{{"npm", "ci", "--ignore-scripts"}}},
		"shrinkwrap":          {`{"dependencies": {"fastify": "5"}}`, "npm-shrinkwrap.json", "", [][]string{{"npm", "ci", "--ignore-scripts"}}},
		"no lock file":        {`{"optionalDependencies": {"fastify": "5"}}`, "", "", install},
		"lock file of pnpm":   {`{"dependencies": {"fastify": "5"}}`, "pnpm-lock.yaml", "", install},
		"lock file of yarn":   {`{"dependencies": {"fastify": "5"}}`, "yarn.lock", "", install},
		"workspaces":          {`{"workspaces": ["packages/*"]}`, "", "", install},
		"no dependency":       {`{"dependencies": {}, "devDependencies": {"typescript": "7"}}`, "package-lock.json", "", nil},
		"build is given":      {`{"dependencies": {"fastify": "5"}}`, "package-lock.json", `, "build": [["npm", "ci"], ["npx", "tsc"]]`, [][]string{{"npm", "ci"}, {"npx", "tsc"}}},
		"build is turned off": {`{"dependencies": {"fastify": "5"}}`, "package-lock.json", `, "build": []`, [][]string{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{
				"assay.json":   `{"challenge": "tiny", "start": ["node", "a.mjs"]` + tt.assay + `}`,
				"package.json": tt.pkg, "a.mjs": "1",
			}
			if tt.lock != "" {
				files[tt.lock] = "lock"
			}
			s, err := manifestOf(t, files, "tiny")
			require.NoError(t, err)
			assert.Equal(t, tt.build, s.Manifest.Build)
		})
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		assay string
		want  []string
	}{
		"npm": {`"start": ["npm", "start"]`, []string{
			"The submission is started by npm, which does not pass signals on: a clean stop is then not seen. Start node itself.",
		}},
		"pnpm": {`"start": ["pnpm", "start"], "build": [["pnpm", "install"]]`, []string{
			"Build step 1 starts pnpm, which the image does not have; it has node, npm and npx.",
			"The submission is started by pnpm, which does not pass signals on: a clean stop is then not seen. Start node itself.",
			"The image has node, npm and npx; pnpm is there only if the build installs it.",
		}},
		"NODE_OPTIONS": {`"start": ["node", "a.mjs"], "env": {"NODE_OPTIONS": "--max-old-space-size=100"}`, []string{
			`The submission sets NODE_OPTIONS="--max-old-space-size=100"; it holds beside the options of Assay.`,
		}},
		"build makes entry": {`"start": ["node", "dist/a.mjs"], "build": [["npx", "tsc"]]`, []string{
			"dist/a.mjs, which start runs, is not handed in; the build has to make it.",
		}},
		"nothing to say": {`"start": ["node", "--max-old-space-size=160", "-r", "./b.cjs", "--", "a.mjs"], "node": "24", "env": {"LEVEL": "1"}, "$schema": "x"`, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := manifestOf(t, map[string]string{"assay.json": `{"challenge": "tiny", ` + tt.assay + `}`, "a.mjs": "1"}, "tiny")
			require.NoError(t, err)
			assert.Equal(t, tt.want, s.Notes)
		})
	}
}

func TestPlainWords(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		words []string
		plain bool
	}{
		"node a.js":                 {[]string{"node", "a.js"}, true},
		"  node\t a.js ":            {[]string{"node", "a.js"}, true},
		`node 'a b.js' "c d" e'f'g`: {[]string{"node", "a b.js", "c d", "efg"}, true},
		`node ''`:                   {[]string{"node", ""}, true},
		"":                          {nil, true},
		"node a.js && echo":         {nil, false},
		"node a.js | cat":           {nil, false},
		"node $FILE":                {nil, false},
		`node "$FILE"`:              {nil, false},
		"node `x`":                  {nil, false},
		"node *.js":                 {nil, false},
		"node a.js > log":           {nil, false},
		"node a.js &":               {nil, false},
		`node 'a`:                   {[]string{"node", "a"}, false},
		"node a\\ b.js":             {nil, false},
		"node a.js\nrm b":           {nil, false},
	}
	for command, tt := range tests {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			words, plain := plainWords(command)
			assert.Equal(t, tt.plain, plain)
			if plain {
				assert.Equal(t, tt.words, words)
			}
		})
	}
}
