package challenges

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/schemas"
)

// The schema that is published is a good schema by itself, with another tool than our loader, and takes every challenge
// that the binary carries.
func TestSchemaTakesBuiltins(t *testing.T) {
	t.Parallel()
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("challenge.json", raw))
	compiled, err := compiler.Compile("challenge.json")
	require.NoError(t, err)

	manifests, err := fs.Glob(Builtin(), "*/"+Manifest)
	require.NoError(t, err)
	require.NotEmpty(t, manifests)
	for _, name := range manifests {
		data, err := fs.ReadFile(Builtin(), name)
		require.NoError(t, err)
		doc, err := schemas.ParseYAML(name, data)
		require.NoError(t, err)
		require.NoError(t, compiled.Validate(doc.Value), name)
	}
}

// Every key of the schema is described in the documentation.
func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/challenge-format.md")
	require.NoError(t, err)
	var root any
	require.NoError(t, json.Unmarshal(schema, &root))
	keys := 0
	var walk func(any)
	walk = func(v any) {
		m, ok := v.(map[string]any)
		if !ok {
			return
		}
		if properties, ok := m["properties"].(map[string]any); ok {
			for key := range properties {
				keys++
				assert.True(t, key == "" || bytes.Contains(text, []byte("`"+key+"`")), "key %q", key)
			}
		}
		for _, inner := range m {
			walk(inner)
		}
	}
	walk(root)
	assert.Greater(t, keys, 50)
}

// The binary carries each challenge whole: files that begin with a dot too, which go:embed leaves out by default.
func TestBuiltinIsComplete(t *testing.T) {
	t.Parallel()
	folders, err := fs.ReadDir(Builtin(), ".")
	require.NoError(t, err)
	for _, folder := range folders {
		disk := fstest.MapFS{}
		require.NoError(t, copyInto(disk, ".", folder.Name()))
		assert.NotEmpty(t, disk)
		for name, file := range disk {
			data, err := fs.ReadFile(Builtin(), name)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(file.Data, data), "%s", name)
		}
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	load := func(t *testing.T, change func(fstest.MapFS)) string {
		t.Helper()
		files := fstest.MapFS{}
		require.NoError(t, copyInto(files, "testdata", "tiny"))
		change(files)
		ch, err := Load(files, "tiny", tinyKinds())
		require.NoError(t, err)
		return ch.Digest
	}
	base := load(t, func(fstest.MapFS) {})
	assert.Regexp(t, "^sha256:[0-9a-f]{64}$", base)
	for _, name := range []string{"challenge.yaml", "brief.md", "solutions/reference/main.mjs", "solutions/flawed/hoard/main.mjs"} {
		changed := load(t, func(files fstest.MapFS) {
			f := files["tiny/"+name]
			f.Data = append(bytes.Clone(f.Data), '\n')
		})
		assert.NotEqual(t, base, changed, name)
	}
	for _, name := range []string{"starter/assay.json", "solutions/gaming/liar/main.mjs", "solutions/reference/node_modules/x.js"} {
		same := load(t, func(files fstest.MapFS) { files["tiny/"+name] = &fstest.MapFile{Data: []byte("other")} })
		assert.Equal(t, base, same, name)
	}
}

func TestLoadAll(t *testing.T) {
	t.Parallel()
	all, err := LoadAll(os.DirFS("testdata"), tinyKinds())
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Equal(t, "tiny", all[0].ID)

	broken := replaced(t, "passMark: 60", "passMark: 600")
	broken["second/challenge.yaml"] = &fstest.MapFile{Data: []byte("id: [")}
	broken["notes/readme.txt"] = &fstest.MapFile{}
	_, err = LoadAll(broken, tinyKinds())
	require.ErrorContains(t, err, "tiny/challenge.yaml:9:11: passMark is 600")
	require.ErrorContains(t, err, "second/challenge.yaml:1:")
}

func TestLoadFails(t *testing.T) {
	t.Parallel()
	_, err := Load(fstest.MapFS{}, "none", tinyKinds())
	require.ErrorIs(t, err, fs.ErrNotExist)

	large := fstest.MapFS{"big/challenge.yaml": {Data: bytes.Repeat([]byte("#"), maxManifestBytes+1)}}
	_, err = Load(large, "big", tinyKinds())
	require.EqualError(t, err, "read challenge: big/challenge.yaml is larger than 262144 bytes")

	kinds := tinyKinds()
	lines := kinds["lines"]
	lines.Metrics = append(lines.Metrics, lines.Metrics[1])
	lines.Metrics[0].Name = "mem"
	kinds["lines"] = lines
	_, err = Load(os.DirFS("testdata"), "tiny", kinds)
	require.EqualError(t, err, `check workload lines: metric "mem" is also the beginning of "mem.peak"`)
}

func TestMissingBriefAndStarter(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{}
	require.NoError(t, copyInto(files, "testdata", "tiny"))
	delete(files, "tiny/brief.md")
	delete(files, "tiny/starter/assay.json")
	_, err := Load(files, "tiny", tinyKinds())
	require.EqualError(t, err, "tiny/challenge.yaml:1:1: there is no file brief.md in the challenge's folder\n"+
		"tiny/challenge.yaml:1:1: there is no folder starter in the challenge's folder")
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"1B": 1, "64KiB": 64 << 10, "256MiB": 256 << 20, "10GiB": 10 << 30, "1024GiB": 1 << 40} {
		got, err := ParseSize(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, text := range []string{"", "5", "MiB", "0B", "-1MiB", "+1MiB", "1.5GiB", "1 MiB", "1MB", "1mib", "1025GiB", "99999999999999999999B", "1MiBMiB"} {
		_, err := ParseSize(text)
		require.Error(t, err, text)
	}
}

func FuzzLoad(f *testing.F) {
	good, err := os.ReadFile("testdata/tiny/challenge.yaml")
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte("id: tiny\nskills: [a, {b: c}]\n"))
	f.Add([]byte("a: &x [*x]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		files := fstest.MapFS{}
		require.NoError(t, copyInto(files, "testdata", "tiny"))
		files["tiny/challenge.yaml"] = &fstest.MapFile{Data: data}
		ch, err := Load(files, "tiny", tinyKinds())
		if err != nil {
			assert.Nil(t, ch)
			assert.NotEmpty(t, err.Error())
			return
		}
		assert.NotEmpty(t, ch.Digest)
	})
}
