// Package servicetest has what tests of the service, and of what stands on it, hand in.
package servicetest

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// Archive is a submission that intake accepts; text makes it differ from others.
func Archive(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, body := range map[string]string{
		"package.json": `{"name":"x","version":"1.0.0","type":"module","scripts":{"start":"node index.js"}}`, "index.js": "// " + text + "\n",
	} {
		f, err := w.Create(name)
		require.NoError(t, err)
		_, err = io.WriteString(f, body)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}
