package pages

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Route is a place that pages link to or send forms to. Handlers are registered under the same patterns, so that the two
// cannot drift apart.
type Route struct {
	Name    string
	Pattern string // of net/http's ServeMux, without method and host
}

// Routes are all of them. What changes something is sent by POST; it has a path of its own or shares that of its page.
func Routes() []Route {
	return []Route{
		{"home", "/{$}"},
		{"setup", "/setup"},
		{"signin", "/sign-in"},
		{"oidc", "/sign-in/{provider}"},
		{"oidcback", "/sign-in/{provider}/back"}, // where the provider sends people to
		{"signout", "/sign-out"},
		{"forgot", "/forgot-password"},
		{"setpassword", "/set-password/{token}"}, // the link that was mailed
		{"organisations", "/organisations"},
		{"account", "/account"}, // of who is signed in
		{"signoutall", "/account/sign-out-everywhere"},
		{"new", "/assessments/new"},
		{"assessment", "/assessments/{assessment}"},
		{"edit", "/assessments/{assessment}/edit"},
		{"archive", "/assessments/{assessment}/archive"},
		{"invite", "/assessments/{assessment}/invite"},
		{"invitecsv", "/assessments/{assessment}/invite/csv"},
		{"compare", "/assessments/{assessment}/compare"},
		{"export", "/assessments/{assessment}/export/{format}"}, // csv or json
		{"candidate", "/candidates/{invitation}"},
		{"extend", "/candidates/{invitation}/extend"},
		{"decide", "/candidates/{invitation}/decide"},
		{"undecide", "/candidates/{invitation}/undecide"},
		{"giveattempt", "/candidates/{invitation}/attempt"}, // one more
		{"details", "/candidates/{invitation}/details"},     // name, address, reference, extra time
		{"newlink", "/candidates/{invitation}/link"},
		{"revoke", "/candidates/{invitation}/revoke"},
		{"erase", "/candidates/{invitation}/erase"},
		{"persondata", "/candidates/{invitation}/data"},
		{"report", "/submissions/{submission}/report"},
		{"regrade", "/submissions/{submission}/regrade"},
		{"cancel", "/submissions/{submission}/cancel"},
		{"people", "/people"},
		{"person", "/people/{user}"},
		{"organisation", "/organisation"}, // change it
		{"tokens", "/tokens"},
		{"revoketoken", "/tokens/{token}/revoke"},
		{"webhooks", "/webhooks"},
		{"webhook", "/webhooks/{endpoint}"}, // enable, disable
		{"replay", "/webhooks/deliveries/{delivery}/replay"},
		{"audit", "/audit"},
		{"workers", "/workers"},
		// of a candidate; the link that was sent, with its token, leads to one of those below
		{"link", "/i/{token}"},
		{"invitation", "/my/{invitation}"},
		{"start", "/my/{invitation}/start"},
		{"work", "/my/{invitation}/work"},
		{"task", "/my/{invitation}/work/{challenge}"},
		{"brief", "/my/{invitation}/work/{challenge}/brief"},
		{"starter", "/my/{invitation}/work/{challenge}/starter"},
		{"draft", "/my/{invitation}/work/{challenge}/draft"},
		{"submit", "/my/{invitation}/work/{challenge}/submissions"},
		{"tool", "/my/{invitation}/assay/{platform}"},
		{"events", "/my/{invitation}/events"},
		{"mycancel", "/my/{invitation}/submissions/{submission}/cancel"},
		{"myreport", "/my/{invitation}/submissions/{submission}/report"},
		{"finish", "/my/{invitation}/finish"},
		{"result", "/my/{invitation}/result"},
		{"withdraw", "/my/{invitation}/withdraw"},
		{"mydata", "/my/{invitation}/data"},
	}
}

var wildcard = regexp.MustCompile(`\{[a-z]+\}`)

// Path fills the wildcards of a route in order, escaped.
func Path(name string, args ...string) (string, error) {
	for _, r := range Routes() {
		if r.Name != name {
			continue
		}
		path, used := strings.TrimSuffix(r.Pattern, "{$}"), 0
		path = wildcard.ReplaceAllStringFunc(path, func(w string) string {
			used++
			if used > len(args) {
				return w
			}
			return url.PathEscape(args[used-1])
		})
		if used != len(args) {
			return "", fmt.Errorf("path %s: %d values for %s", name, len(args), r.Pattern)
		}
		return path, nil
	}
	return "", fmt.Errorf("path %q: there is no such route", name)
}
