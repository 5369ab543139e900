package forms

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small is a challenge with two groups of two causes. Two of them are in one file.
func small() fstest.MapFS {
	piece := func(lines ...string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(strings.Join(lines, "\n") + "\n")}
	}
	return fstest.MapFS{
		"forms/forms.json":         piece(`{"base": "good", "leave": ["secret.txt"], "add": "forms/add", "groups": [["a", "b"], ["c", "d"]]}`),
		"forms/a.txt":              piece("place main.js", "--- healthy", "one();", "--- slow", "one();", "again();", "--- end"),
		"forms/b.txt":              piece("edit main.js", "--- healthy", "two();", "--- slow", "--- end", "place lib.js", "--- healthy", "x", "--- slow", "y", "--- end"),
		"forms/c.txt":              piece("place main.js", "--- healthy", "three();", "--- slow", "three(3);", "--- end"),
		"forms/d.txt":              piece("place lib.js", "--- healthy", "z", "--- slow", "zz", "zzz", "--- end"),
		"forms/add/diagnosis.json": piece("[]"),
		"good/main.js":             piece("one();", "two();", "three();"),
		"good/lib.js":              piece("x", "z"),
		"good/secret.txt":          piece("not handed out"),
		"good/assay.json":          piece("{", `  "form": 0,`, `  "challenge": "small"`, "}"),
		"good/node_modules/x.js":   piece("x"),
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	assert.False(t, Has(fstest.MapFS{}))
	require.True(t, Has(small()))
	list, err := Files(small())
	require.NoError(t, err)
	assert.Equal(t, []string{"forms/a.txt", "forms/add/diagnosis.json", "forms/b.txt", "forms/c.txt", "forms/d.txt", "forms/forms.json"}, list)
	_, err = Files(fstest.MapFS{})
	require.Error(t, err)
	s, err := Load(small())
	require.NoError(t, err)
	assert.Equal(t, 4, s.Count())
	assert.Equal(t, []string{"a", "b", "c", "d"}, s.All())
	assert.Equal(t, []string{"b", "c"}, s.Causes(2))
	for form := range s.Count() {
		number, ok := s.Number(s.Causes(form))
		assert.True(t, ok)
		assert.Equal(t, form, number)
	}
	_, ok := s.Number([]string{"c", "a"})
	assert.False(t, ok)

	files, places, err := s.Form(0)
	require.NoError(t, err)
	assert.Equal(t, "one();\nagain();\ntwo();\nthree(3);\n", string(files["main.js"]))
	assert.Equal(t, []Place{{"a", "main.js", 1, 2}, {"c", "main.js", 4, 4}}, places, "the line is the one in the form, below another piece")
	assert.Equal(t, "[]\n", string(files["diagnosis.json"]))
	assert.NotContains(t, files, "secret.txt")
	assert.NotContains(t, files, "node_modules/x.js")

	files, places, err = s.Form(3)
	require.NoError(t, err)
	assert.Equal(t, "one();\nthree();\n", string(files["main.js"]))
	assert.Equal(t, "y\nzz\nzzz\n", string(files["lib.js"]))
	assert.Equal(t, []Place{{"b", "lib.js", 1, 1}, {"d", "lib.js", 2, 3}}, places, "an edit is no place")
	assert.JSONEq(t, `{"form": 3, "challenge": "small"}`, string(files["assay.json"]))

	for _, form := range []int{-1, 4} {
		_, _, err = s.Form(form)
		require.ErrorContains(t, err, "there are 0 to 3")
	}
}

func TestLoadFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ file, text, want string }{
		"no causes":       {"forms/forms.json", `{"base": "good", "add": "forms/add", "groups": [[]]}`, "1 to 65536 forms, not 0"},
		"no JSON":         {"forms/forms.json", `{`, "read forms/forms.json"},
		"no base":         {"forms/forms.json", `{"base": "bad", "add": "forms/add", "groups": [["a"]]}`, "list bad"},
		"no cause":        {"forms/forms.json", `{"base": "good", "add": "forms/add", "groups": [["e"]]}`, "read cause"},
		"does not fit":    {"forms/a.txt", "place main.js\n--- healthy\nfour();\n--- slow\nx\n--- end\n", "0 times in main.js"},
		"half a line":     {"forms/a.txt", "place main.js\n--- healthy\nne();\n--- slow\nx\n--- end\n", "0 times in main.js"},
		"no end":          {"forms/a.txt", "place main.js\n--- healthy\none();\n--- slow\nx\n", "a piece is"},
		"not a kind":      {"forms/a.txt", "put main.js\n--- healthy\none();\n--- slow\nx\n--- end\n", "a piece is"},
		"nothing to find": {"forms/a.txt", "edit main.js\n--- healthy\none();\n--- slow\nx\n--- end\n", "no piece is a place"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := small()
			files[tt.file] = &fstest.MapFile{Data: []byte(tt.text)}
			_, err := Load(files)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// FuzzParse reads pieces: whatever the text, there is an error or a place.
func FuzzParse(f *testing.F) {
	for _, file := range small() {
		f.Add(string(file.Data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parse(text)
		if err == nil && len(list) == 0 {
			t.Fatal("no pieces and no error")
		}
	})
}

func TestSolution(t *testing.T) {
	t.Parallel()
	with := func(form string) fstest.MapFS {
		files := small()
		files["solutions/half/form.json"] = &fstest.MapFile{Data: []byte(form)}
		files["solutions/half/lib.js"] = &fstest.MapFile{Data: []byte("of its own\n")}
		files["solutions/half/src/new.js"] = &fstest.MapFile{Data: []byte("new\n")}
		return files
	}
	files, err := Solution(with(`{"causes": ["a", "d"]}`), "solutions/half")
	require.NoError(t, err)
	assert.Equal(t, "one();\nagain();\ntwo();\nthree();\n", string(files["main.js"]), "one cause is left in it")
	assert.Equal(t, "of its own\n", string(files["lib.js"]))
	assert.Equal(t, "new\n", string(files["src/new.js"]))
	assert.NotContains(t, files, SolutionFile)
	assert.Contains(t, files, "assay.json")

	files, err = Solution(with("{}"), "good")
	require.NoError(t, err)
	assert.Nil(t, files, "a folder without the file is the solution")

	for form, want := range map[string]string{
		`{"causes": ["e"]}`: `solutions/half/form.json: there is no cause "e"`,
		`{"cause": ["a"]}`:  "unknown field",
		`{`:                 "solutions/half/form.json",
	} {
		_, err = Solution(with(form), "solutions/half")
		require.ErrorContains(t, err, want)
	}
}
