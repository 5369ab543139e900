package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"reflect"
)

//go:embed templates assets texts
var files embed.FS

// Policy is the content security policy that every page is sent with.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Name names a page.
type Name string

// The pages. Each is rendered with the model of the same name.
const (
	PageSetup          Name = "setup"
	PageSignIn         Name = "signin"
	PageForgot         Name = "forgot"
	PageSetPassword    Name = "setpassword"
	PageOrganisations  Name = "organisations"
	PageAccount        Name = "account"
	PageHome           Name = "home"
	PageAssessment     Name = "assessment"
	PageAssessmentForm Name = "assessmentform"
	PageInvite         Name = "invite"
	PageCandidate      Name = "candidate"
	PageCompare        Name = "compare"
	PagePeople         Name = "people"
	PageTokens         Name = "tokens"
	PageWebhooks       Name = "webhooks"
	PageAudit          Name = "audit"
	PageWorkers        Name = "workers"
	PageInvitation     Name = "invitation"
	PageWork           Name = "work"
	PageResult         Name = "result"
	PageWithdraw       Name = "withdraw"
	PageGoodbye        Name = "goodbye"
	PageError          Name = "error"
)

// models are all pages, each with an empty model of its type.
func models() map[Name]any {
	return map[Name]any{
		PageSetup: Setup{}, PageSignIn: SignIn{}, PageForgot: Forgot{}, PageSetPassword: SetPassword{},
		PageOrganisations: Organisations{}, PageAccount: Account{}, PageHome: Home{}, PageAssessment: Assessment{},
		PageAssessmentForm: AssessmentForm{}, PageInvite: Invite{}, PageCandidate: Candidate{}, PageCompare: Compare{},
		PagePeople: People{}, PageTokens: Tokens{}, PageWebhooks: Webhooks{}, PageAudit: Audit{}, PageWorkers: Workers{},
		PageInvitation: Invitation{}, PageWork: Work{}, PageResult: Result{}, PageWithdraw: Withdraw{}, PageGoodbye: Goodbye{},
		PageError: Error{},
	}
}

// Pages renders pages. It is made once and may be used by many at the same time.
type Pages struct {
	templates map[Name]*template.Template
	models    map[Name]reflect.Type
	texts     *catalogue
	assets    []Asset
}

// New reads texts and templates. They are part of the program, so an error is a mistake of ours.
func New() (*Pages, error) {
	raw, err := files.ReadFile("texts/en.yaml")
	if err != nil {
		return nil, fmt.Errorf("read texts: %w", err)
	}
	texts, err := newCatalogue("en", raw)
	if err != nil {
		return nil, err
	}
	p := &Pages{templates: map[Name]*template.Template{}, models: map[Name]reflect.Type{}, texts: texts}
	if p.assets, err = readAssets(); err != nil {
		return nil, err
	}
	base, err := template.New("base").Funcs(p.functions()).ParseFS(files, "templates/base/*.gohtml")
	if err != nil {
		return nil, fmt.Errorf("parse shared templates: %w", err)
	}
	for name, model := range models() {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(files, "templates/"+string(name)+".gohtml")
		}
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		p.templates[name], p.models[name] = t, reflect.TypeOf(model)
	}
	return p, nil
}

// Render writes a page. The model is a value of the page's type. Nothing is written when the page cannot be made, so that
// an error page can take its place.
func (p *Pages) Render(w io.Writer, name Name, model any) error {
	t, ok := p.templates[name]
	if !ok {
		return fmt.Errorf("render page %q: there is no such page", name)
	}
	if got := reflect.TypeOf(model); got != p.models[name] {
		return fmt.Errorf("render page %s: the model is %v, not %v", name, got, p.models[name])
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "page", model); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write page %s: %w", name, err)
	}
	return nil
}

// Text is a text of the catalogue, for what a handler says in a Frame's Notice. args are names and values of what the text
// leaves open.
func (p *Pages) Text(key string, args ...any) (string, error) { return p.texts.text(key, args...) }
