package service

import (
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// Whatever a list is, it is refused as the caller's fault, or holds people who can be invited: no line break in a name, one address
// each, none twice.
func FuzzReadList(f *testing.F) {
	for _, seed := range []string{
		"name,email\nAnn,ann@x.example\n", "email;name\r\nann@x.example;\"Ann; the first\"\r\n", "\ufeffname\textra_percent\nAnn\t25%\n", "name\n\"A\nB\"\n", "name\n\"A\n",
		"name,name\nA,B\n", "email\na@x.example\nA@X.example\n", "name,extra_percent\nA,1e3\n", "name\n=1+1\n", "name\na\x00b\n", "reference\nx\n", "name\n\u202eA\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		people, err := ReadList(strings.NewReader(string(text)))
		if err != nil {
			if platform.ErrorCode(err) != platform.Invalid || people != nil {
				t.Fatalf("%d people and %v", len(people), err)
			}
			return
		}
		if len(people) == 0 || len(people) > store.MaxInvitees {
			t.Fatalf("%d people", len(people))
		}
		seen := map[string]bool{}
		for _, p := range people {
			if err := checkInvitee(p); err != nil {
				t.Fatalf("%+v: %v", p, err)
			}
			if strings.ContainsFunc(p.Name+p.Email+p.ExternalRef, unicode.IsControl) {
				t.Fatalf("%q", p.Name+p.Email+p.ExternalRef)
			}
			if key := platform.NormalEmail(p.Email); key != "" && seen[key] {
				t.Fatalf("%q twice", p.Email)
			} else {
				seen[key] = true
			}
		}
	})
}

// The address of an endpoint that is taken is one that is dialled as it looks: HTTPS, a host, nobody's name and password in it, and
// nothing that breaks a line.
func FuzzEndpointAddress(f *testing.F) {
	for _, seed := range []string{
		"https://ats.example/hook?key=x", "http://ats.example", "https://me:secret@ats.example", "https://", "https://a\r\nX: y/", "https://[::1%25eth0]/", "HTTPS://ats.example",
		"https:///path", "https://2130706433/", "//ats.example", "https://ats.example#x", "https://ats.example:99999", "https:ats.example", "https://\\evil.example",
	} {
		f.Add(seed)
	}
	s := &Service{}
	f.Fuzz(func(t *testing.T, text string) {
		if err := s.checkEndpoint(text); err != nil {
			if platform.ErrorCode(err) != platform.Invalid {
				t.Fatal(err)
			}
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			t.Fatalf("%q was taken", text)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == ' ' && strings.Contains(u.Host, " ") }) {
			t.Fatalf("%q was taken", text)
		}
	})
}
