package egress

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseOrigin(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw  string
		want string // address and scheme; empty for refused
	}{
		{"https://registry.example", "https://registry.example:443"},
		{"https://registry.example/", "https://registry.example:443"},
		{"https://Registry.Example/npm/", "https://registry.example:443"},
		{"http://registry.example:4873", "http://registry.example:4873"},
		{"http://registry.example", "http://registry.example:80"},
		{"http://10.1.2.3:4873/", "http://10.1.2.3:4873"},
		{"https://[2001:db8::1]/", "https://[2001:db8::1]:443"},
		{"https://npm_internal.example", "https://npm_internal.example:443"},
		// Sad paths.
		{"", ""},
		{"registry.example", ""},
		{"ftp://registry.example", ""},
		{"https://", ""},
		{"https://user:password@registry.example", ""},
		{"https://registry.example.", ""},
		{"https://registry..example", ""},
		{"https://registry.example:0", ""},
		{"https://registry.example:65536", ""},
		{"https://registry.example:0443", ""},
		{"https://-registry.example", ""},
		{"https://127.1/", ""},
		{"https://0x7f000001/", ""},
		{"https://2130706433/", ""},
		{"https://[fe80::1%25eth0]/", ""},
		{"https://" + strings.Repeat("a", 64) + ".example", ""},
		{"https://" + strings.Repeat("a.", 130) + "example", ""},
		{"https://r\u00e9gistre.example", ""},
	}
	for _, tt := range tests {
		t.Run(tt.raw, func(t *testing.T) {
			t.Parallel()
			o, err := ParseOrigin(tt.raw)
			if tt.want == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, o.String())
		})
	}
}

func TestParseTarget(t *testing.T) {
	t.Parallel()
	tests := []struct{ raw, host, port string }{
		{"registry.example:443", "registry.example", "443"},
		{"REGISTRY.example:443", "registry.example", "443"},
		{"10.0.0.1:80", "10.0.0.1", "80"},
		{"[::1]:80", "::1", "80"},
		// Sad paths.
		{"registry.example", "", ""},
		{"registry.example:", "", ""},
		{"registry.example.:443", "", ""},
		{"registry.example:https", "", ""},
		{"registry.example:+443", "", ""},
		{"registry.example: 443", "", ""},
		{"registry.example\x00.evil.example:443", "", ""},
		{"registry.example/..:443", "", ""},
		{"user@registry.example:443", "", ""},
		{"registry%2eexample:443", "", ""},
		{"[::ffff:127.0.0.1%lo]:80", "", ""},
		{"0177.0.0.1:80", "", ""},
		{":443", "", ""},
		{"\u212aegistry.example:443", "", ""}, // the Kelvin sign, whose lower case is k
	}
	for _, tt := range tests {
		t.Run(tt.raw, func(t *testing.T) {
			t.Parallel()
			host, port, err := parseTarget(tt.raw)
			if tt.host == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, [2]string{tt.host, tt.port}, [2]string{host, port})
		})
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{"registry.example:443", "[::1]:80", "a.:1", "A:1", "127.1:80", "x\x00:2", ":", "[fe80::1%eth0]:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		host, port, err := parseTarget(raw)
		if err != nil {
			return
		}
		assert.Equal(t, strings.ToLower(host), host)
		assert.False(t, strings.HasSuffix(host, "."), "a trailing dot names the same host")
		assert.LessOrEqual(t, len(host), maxHost)
		assert.NotContains(t, host, "\x00")
		assert.NotContains(t, host, "%")
		// What was accepted is accepted again, and stays what it is.
		again, againPort, err := parseTarget(net.JoinHostPort(host, port))
		require.NoError(t, err)
		assert.Equal(t, host, again)
		assert.Equal(t, port, againPort)
	})
}

func FuzzParseOrigin(f *testing.F) {
	for _, seed := range []string{"https://registry.example/npm", "http://[::1]:4873", "https://a@b", "https://x.:1", "//x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		o, err := ParseOrigin(raw)
		if err != nil {
			return
		}
		again, err := ParseOrigin(o.String())
		require.NoError(t, err)
		assert.Equal(t, o, again)
		_, _, err = parseTarget(o.address())
		require.NoError(t, err, "an allowed origin can be asked for")
	})
}
