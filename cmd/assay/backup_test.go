package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// visitor is a browser.
func visitor(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport}
}

func body(t *testing.T, out *http.Response, err error) string {
	t.Helper()
	require.NoError(t, err)
	defer out.Body.Close()
	text, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, out.StatusCode, string(text))
	return string(text)
}

// command runs assay and gives its exit code and all that it has said.
func command(t *testing.T, env []string, args ...string) (int, string) {
	t.Helper()
	var said bytes.Buffer
	code := run(t.Context(), args, environmentOf(env...), stdio{in: strings.NewReader(""), out: &said, err: &said})
	return code, said.String()
}

// An installation that is served is copied, and goes on in another folder.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	from, to, archives := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to"), t.TempDir()
	old, oldBase, endOld := serving(t, from, 0, nil)
	code := regexp.MustCompile(`this code: (\S+)`).FindStringSubmatch(old.String())
	require.NotNil(t, code)
	owner := visitor(t)
	out, err := owner.PostForm(oldBase+"/setup", url.Values{
		"code": {code[1]}, "organisation": {"Acme"}, "name": {"Olga"}, "email": {"olga@acme.example"}, "password": {"correct horse battery"},
	})
	require.Contains(t, body(t, out, err), "Acme")

	exit, said := command(t, nil, "backup", "--data", from, "--to", archives)
	require.Zero(t, exit, said)
	assert.Contains(t, said, "not encrypted")
	assert.Contains(t, said, filepath.Join(from, "key"), "the next step names the key")
	names, err := filepath.Glob(filepath.Join(archives, "assay-*.tar.gz"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	left, err := os.ReadDir(archives)
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing else is left")
	key, err := os.ReadFile(filepath.Join(from, "key"))
	require.NoError(t, err)

	exit, said = command(t, nil, "restore", "--from", names[0], "--check")
	require.Zero(t, exit, said)
	assert.Contains(t, said, "The archive is whole")
	exit, said = command(t, nil, "restore", "--from", names[0], "--data", from)
	require.Equal(t, exitUsage, exit, said)
	assert.Contains(t, said, "there is something already")
	assert.Contains(t, said, "--data")
	endOld()

	exit, said = command(t, []string{"ASSAY_DATA_DIR", to}, "restore", "--from", names[0], "--erasures", filepath.Join(from, "assay.db"))
	require.Zero(t, exit, said)
	assert.Contains(t, said, "Nobody is signed in")
	assert.NoFileExists(t, filepath.Join(to, "key"))
	require.NoError(t, os.WriteFile(filepath.Join(to, "key"), key, 0o600))
	console, base, end := serving(t, to, 0, nil)
	defer end()
	assert.NotContains(t, console.String(), "code", "it knows who it belongs to")
	out, err = visitor(t).PostForm(base+"/sign-in", url.Values{"email": {"olga@acme.example"}, "password": {"correct horse battery"}})
	assert.Contains(t, body(t, out, err), "Acme")
}

func TestBackupSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("this is no archive"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "files"), 0o700))
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"no installation":       {[]string{"backup", "--data", filepath.Join(dir, "none")}, exitUsage, []string{"--data"}},
		"no database":           {[]string{"backup", "--data", dir, "--to", dir}, exitUsage, []string{"--database"}},
		"no folder":             {[]string{"backup", "--data", dir, "--to", filepath.Join(dir, "none") + "/"}, exitUsage, []string{"Make the folder first"}},
		"no folder for a file":  {[]string{"backup", "--data", dir, "--to", filepath.Join(dir, "none", "x")}, exitUsage, []string{"Make the folder first"}},
		"a file that is there":  {[]string{"backup", "--data", dir, "--to", file}, exitUsage, []string{"replaces nothing"}},
		"nothing to restore":    {[]string{"restore"}, exitUsage, []string{"--from"}},
		"no archive":            {[]string{"restore", "--from", filepath.Join(dir, "none")}, exitUsage, []string{"--from"}},
		"something else":        {[]string{"restore", "--from", file, "--check"}, exitUsage, []string{"the archive is damaged", "Nothing was written"}},
		"something else for it": {[]string{"restore", "--from", file, "--data", filepath.Join(dir, "new")}, exitUsage, []string{"the archive is damaged"}},
		"no erasures":           {[]string{"restore", "--from", file, "--data", filepath.Join(dir, "new"), "--erasures", filepath.Join(dir, "none")}, exitUsage, []string{"--erasures"}},
	} {
		code, said := command(t, nil, c.args...)
		assert.Equal(t, c.code, code, "%s: %s", name, said)
		for _, words := range c.says {
			assert.Contains(t, said, words, name)
		}
	}
	assert.NoFileExists(t, filepath.Join(dir, "assay.db"), "looking for a database makes none")
	assert.NoFileExists(t, filepath.Join(dir, "new", "assay.db"))
}
