package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"stages.tsv": "gofmt\tpass\nlint\tfail\n",
		"unit.json": `{"Action":"run","Package":"a","Test":"TestX"}
{"Action":"pass","Package":"a","Test":"TestX"}
{"Action":"skip","Package":"a","Test":"TestY"}
{"Action":"pass","Package":"a"}
{"Action":"fail","Package":"b","Test":"TestZ/sub"}
{"Action":"fail","Package":"b","Test":"TestZ"}
{"Action":"fail","Package":"b"}
{"Action":"build-fail","ImportPath":"c"}
{"Action":"fail","Package":"c","Elapsed":0}
`,
		"fixtures.json": `{"results":[{"challenge":"c","fixture":"good","ok":true},{"challenge":"c","fixture":"bad","ok":false}]}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	got, err := count(dir)
	require.NoError(t, err)
	assert.Equal(t, "3 passed, 5 failed, 1 skipped", got.String())
	assert.ElementsMatch(t, []string{"lint", "b TestZ/sub", "b TestZ", "c", "fixture c/bad"}, got.names)
}

func TestCountRefuses(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"no stages":       {},
		"a broken stage":  {"stages.tsv": "gofmt\n"},
		"half an event":   {"stages.tsv": "", "unit.json": `{"Action":`},
		"broken fixtures": {"stages.tsv": "", "fixtures.json": `[]`},
		"no fixtures":     {"stages.tsv": "", "fixtures-x.json": `{}`},
	} {
		dir := t.TempDir()
		for file, content := range files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
		}
		_, err := count(dir)
		require.Error(t, err, name)
	}
}
