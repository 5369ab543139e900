package mail

import (
	"fmt"
	"net/url"
	"strings"
	"text/template"

	"github.com/assay-run/assay/internal/platform/service"
)

// Words are what a template may say. They are put into text, never into a header as they are.
type Words struct {
	Name         string // of whom it is for
	Organization string
	Assessment   string
	Role         string
	Message      string // of the team; several lines
	Contact      string // whom to ask; may be empty
	Link         string
	Expires      string // a date; may be empty
	TimeLimit    string // e.g. "2 h"; may be empty
}

const invitationText = `Hello{{with .Name}} {{.}}{{end}},

{{.Organization}} invites you to a hands-on Node.js assessment: {{.Assessment}}{{with .Role}} ({{.}}){{end}}.
{{with .Message}}
{{.}}
{{end}}
Your personal link:
{{.Link}}

It shows what is asked, how it is graded and which data are kept, before you start.
{{with .TimeLimit}}Once you start you have {{.}}.
{{end}}{{with .Expires}}Please start by {{.}}.
{{end}}
The link is yours alone: whoever has it can start in your place.
{{with .Contact}}Questions: {{.}}
{{end}}`

// #nosec G101 -- it is a text about passwords
const setPasswordText = `Hello{{with .Name}} {{.}}{{end}},

with this link you set the password of your Assay account{{with .Organization}} at {{.}}{{end}}:
{{.Link}}

It works once{{with .Expires}}, until {{.}}{{end}}. If you have not asked for it, you need do nothing.
`

// Templates are the mails that there are.
type Templates struct {
	base     *url.URL
	subjects map[string]string
	bodies   map[string]*template.Template
	paths    map[string]string // of the page that a link leads to
}

// NewTemplates makes the templates for an installation that is reached at base, e.g. https://assay.example.
func NewTemplates(base string) (*Templates, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("make mails: %q is not the address of this installation: it needs the form https://assay.example", base)
	}
	t := &Templates{
		base: u,
		subjects: map[string]string{
			service.MailInvitation:  "{{.Organization}} invites you: {{.Assessment}}",
			service.MailSetPassword: "Set your password",
		},
		bodies: map[string]*template.Template{},
		paths:  map[string]string{service.MailInvitation: "i", service.MailSetPassword: "set-password"},
	}
	for name, text := range map[string]string{service.MailInvitation: invitationText, service.MailSetPassword: setPasswordText} {
		if t.bodies[name], err = template.New(name).Option("missingkey=error").Parse(text); err != nil {
			return nil, fmt.Errorf("read mail %s: %w", name, err)
		}
	}
	return t, nil
}

// Link is the address that a mail's token leads to. The token is in the path of an invitation: pages that it opens send no
// referrer, and the server's log has patterns of paths, never paths.
func (t *Templates) Link(name, token string) string {
	return t.base.JoinPath(t.paths[name], token).String()
}

// Write writes a mail's subject and body. Whoever can choose a name, a title or a message can put words into it, and no
// more: a line of it never ends where a header would begin, and no blank lines of it push the link out of sight.
func (t *Templates) Write(name string, w Words) (subject, body string, err error) {
	tmpl, ok := t.bodies[name]
	if !ok {
		return "", "", fmt.Errorf("write mail: there is no template %q", name)
	}
	line := func(s string) string { return headerText(s, maxNameRunes) }
	w.Name, w.Organization, w.Assessment, w.Role = line(w.Name), line(w.Organization), line(w.Assessment), line(w.Role)
	w.Contact, w.Message = line(w.Contact), quoted(w.Message)
	var text strings.Builder
	if err := tmpl.Execute(&text, w); err != nil {
		return "", "", fmt.Errorf("write mail %s: %w", name, err)
	}
	subject = strings.NewReplacer("{{.Organization}}", w.Organization, "{{.Assessment}}", w.Assessment).Replace(t.subjects[name])
	return headerText(subject, maxSubjectRunes), text.String(), nil
}

// quoted marks every line of a team's message, so that it cannot pass for ours.
func quoted(message string) string {
	message = strings.TrimSpace(bodyText(message))
	if message == "" {
		return ""
	}
	return "> " + strings.ReplaceAll(message, "\n", "\n> ")
}
