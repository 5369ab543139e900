// Package web connects pages and use cases: it reads what browsers send, asks internal/platform/service, and fills the
// models of internal/platform/pages. It decides nothing: who may do what is the service's, how it looks the pages'.
//
// Every place is in pages.Routes(), and every place there has its answers here; New fails when the two differ. Everything
// works without JavaScript; what the script asks for in addition are whole pages, and a stream of news for candidates.
package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/auth"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
	"github.com/assay-run/assay/internal/report"
)

// Options say what the pages are served with. Service, Pages, Sessions, HTTP.Log and URL are needed.
type Options struct {
	Service  *service.Service
	Pages    *pages.Pages
	Sessions *auth.Sessions
	// HTTP is what every request goes through; its Page is filled in here.
	HTTP httpbase.Options
	// URL is the address under which people reach the server, without a slash at its end.
	URL string
	// Mailed says that a mail server delivers what is mailed. Otherwise mails lie in a folder of the operator's, and links are
	// to be handed over.
	Mailed bool
	// NeedsCode says that setting up asks for the code in the server's log.
	NeedsCode bool
	// Provider is another place to sign in at; nil: there is none.
	Provider *Provider
	// Tools are the programs that candidates may download.
	Tools []Tool
	// Cancelled hears of a grading that was cancelled, so that a worker in this process need not wait for its next beat. Nil:
	// nobody needs to hear.
	Cancelled func(job platform.ID)
	// Ending is closed when the server ends: streams of news end themselves then. Nil: never.
	Ending <-chan struct{}
	// NewsEvery is how often a stream looks for news; 2 s unless set.
	NewsEvery time.Duration
	Now       func() time.Time
}

// Web answers the requests of browsers. It may be used by several goroutines.
type Web struct {
	opts    Options
	service *service.Service
	base    *httpbase.Base
	briefs  *briefs
	news    *news
	// policy is what the page of a report may do.
	policy string
	// reports bounds the reports that are made at a time: the evidence of one may have hundreds of megabytes.
	reports chan struct{}
	secure  bool
}

const (
	newsEvery  = 2 * time.Second
	reportsNow = 2
)

// New makes the handlers.
func New(o Options) (*Web, error) {
	if o.Service == nil || o.Pages == nil || o.Sessions == nil || o.HTTP.Log == nil || o.URL == "" {
		return nil, errors.New("make pages: they need service, pages, sessions, a log and the server's address")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewsEvery <= 0 {
		o.NewsEvery = newsEvery
	}
	if o.Cancelled == nil {
		o.Cancelled = func(platform.ID) {}
	}
	o.URL = strings.TrimSuffix(o.URL, "/")
	s := &Web{
		opts: o, service: o.Service, briefs: newBriefs(), news: newNews(), reports: make(chan struct{}, reportsNow), secure: o.HTTP.Secure,
	}
	o.HTTP.Page = s.problem
	var err error
	if s.base, err = httpbase.New(o.HTTP); err != nil {
		return nil, fmt.Errorf("make pages: %w", err)
	}
	if s.policy, err = report.Policy(); err != nil {
		return nil, fmt.Errorf("make pages: %w", err)
	}
	return s, s.complete()
}

// complete checks that every place has its answers, and that there are no others.
func (s *Web) complete() error {
	have := s.places()
	for _, r := range pages.Routes() {
		if _, ok := have[r.Name]; !ok {
			return fmt.Errorf("make pages: nothing answers %s", r.Name)
		}
		delete(have, r.Name)
	}
	for name := range have {
		return fmt.Errorf("make pages: %s is no route", name)
	}
	return nil
}

// answer answers one request. An error is told to the other side as far as it may be.
type answer func(http.ResponseWriter, *http.Request) error

// place is what a route answers; a method without an answer is refused.
type place struct{ get, post answer }

// places are the answers of all routes, by name.
func (s *Web) places() map[string]place {
	out := s.teamPlaces()
	for name, p := range map[string]place{
		"link":       {get: s.followLink},
		"invitation": {get: s.candidate(s.showInvitation)},
		"start":      {post: s.candidate(s.start)},
		"work":       {get: s.candidate(s.firstTask)},
		"task":       {get: s.candidate(s.showTask)},
		"brief":      {get: s.candidate(s.downloadBrief)},
		"starter":    {get: s.candidate(s.downloadStarter)},
		"draft":      {get: s.candidate(s.backToTask), post: s.candidate(s.saveDraft)},
		"submit":     {get: s.candidate(s.backToTask), post: s.candidate(s.submit)},
		"tool":       {get: s.candidate(s.downloadTool)},
		"events":     {get: s.candidate(s.streamNews)},
		"mycancel":   {post: s.candidate(s.cancelOwn)},
		"myreport":   {get: s.candidate(s.showOwnReport)},
		"finish":     {post: s.candidate(s.finish)},
		"result":     {get: s.candidate(s.showResult)},
		"withdraw":   {get: s.candidate(s.askWithdraw), post: s.candidate(s.withdraw)},
		"mydata":     {get: s.candidate(s.exportOwn)},
	} {
		out[name] = p
	}
	return out
}

// teamPlaces are those of the hiring team, and of who is not known.
func (s *Web) teamPlaces() map[string]place {
	return map[string]place{
		"setup":         {get: s.showSetup, post: s.setUp},
		"signin":        {get: s.showSignIn, post: s.signIn},
		"oidc":          {get: s.beginOIDC},
		"oidcback":      {get: s.endOIDC},
		"signout":       {post: s.signOut},
		"forgot":        {get: s.showForgot, post: s.forgot},
		"setpassword":   {get: s.showSetPassword, post: s.setPassword},
		"organisations": {get: s.user(s.showOrganisations), post: s.user(s.chooseOrganisation)},
		"account":       {get: s.user(s.showAccount), post: s.user(s.changePassword)},
		"signoutall":    {post: s.user(s.signOutEverywhere)},
		"home":          {get: s.team(s.showHome)},
		"new":           {get: s.team(s.showNew), post: s.team(s.create)},
		"assessment":    {get: s.team(s.showAssessment)},
		"edit":          {get: s.team(s.showEdit), post: s.team(s.change)},
		"archive":       {post: s.team(s.archive)},
		"invite":        {get: s.team(s.showInvite), post: s.team(s.invite)},
		"invitecsv":     {get: s.team(s.backToInvite), post: s.team(s.inviteList)},
		"compare":       {get: s.team(s.compare)},
		"export":        {get: s.team(s.export)},
		"candidate":     {get: s.team(s.showCandidate)},
		"extend":        {get: s.team(s.backToCandidate), post: s.team(s.extend)},
		"decide":        {get: s.team(s.backToCandidate), post: s.team(s.decide)},
		"undecide":      {post: s.team(s.undecide)},
		"giveattempt":   {post: s.team(s.giveAttempt)},
		"details":       {get: s.team(s.backToCandidate), post: s.team(s.changeDetails)},
		"newlink":       {get: s.team(s.backToCandidate), post: s.team(s.newLink)},
		"revoke":        {post: s.team(s.revoke)},
		"erase":         {post: s.team(s.erase)},
		"persondata":    {get: s.team(s.exportPerson)},
		"report":        {get: s.team(s.showReport)},
		"regrade":       {post: s.team(s.regrade)},
		"cancel":        {post: s.team(s.cancel)},
		"people":        {get: s.team(s.showPeople), post: s.team(s.addPerson)},
		"person":        {post: s.team(s.changePerson)},
		"organisation":  {get: s.team(s.backToPeople), post: s.team(s.changeOrganisation)},
		"tokens":        {get: s.team(s.showTokens), post: s.team(s.createToken)},
		"revoketoken":   {post: s.team(s.revokeToken)},
		"webhooks":      {get: s.team(s.showWebhooks), post: s.team(s.createEndpoint)},
		"webhook":       {post: s.team(s.enableEndpoint)},
		"replay":        {post: s.team(s.replay)},
		"audit":         {get: s.team(s.showAudit)},
		"workers":       {get: s.team(s.showWorkers)},
	}
}

// Handler answers every request. add puts routes of others beside the pages, e.g. those of the API; they answer errors through
// the same base, and get no session.
func (s *Web) Handler(add ...func(*http.ServeMux, *httpbase.Base) error) (http.Handler, error) {
	routes := http.NewServeMux()
	for _, a := range add {
		if err := a(routes, s.base); err != nil {
			return nil, err
		}
	}
	have := s.places()
	for _, r := range pages.Routes() {
		s.register(routes, r.Pattern, have[r.Name])
	}
	for _, a := range s.opts.Pages.Assets() {
		routes.HandleFunc(a.Path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", a.ContentType)
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable") // its path has a hash of it
			_, _ = w.Write(a.Bytes)                                                // the client may be gone
		})
	}
	routes.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.base.Fail(w, r, platform.Errorf(platform.NotFound, "There is no page at this address."))
	})
	return s.base.Handler(routes, s.withSession), nil
}

// register answers a route. The method is no part of the pattern: those of other routes would be in its way.
func (s *Web) register(routes *http.ServeMux, pattern string, p place) {
	routes.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		var do answer
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			do = p.get
		case http.MethodPost:
			do = p.post
		}
		if do == nil {
			s.notAllowed(w, r, p)
			return
		}
		if err := do(w, r); err != nil {
			s.base.Fail(w, r, err)
		}
	})
}

func (s *Web) notAllowed(w http.ResponseWriter, r *http.Request, p place) {
	var allowed []string
	if p.get != nil {
		allowed = append(allowed, http.MethodGet, http.MethodHead)
	}
	if p.post != nil {
		allowed = append(allowed, http.MethodPost)
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	s.problem(w, r, httpbase.Problem{Problem: platform.Problem{Status: http.StatusMethodNotAllowed, RequestID: httpbase.RequestID(r.Context())}})
}

// withSession loads the session of a request; what candidates and programs ask for has none.
func (s *Web) withSession(next http.Handler) http.Handler {
	with := s.opts.Sessions.Handle(next, s.base.Fail)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ofCandidate(r) || strings.HasPrefix(r.URL.Path, "/assets/") || strings.HasPrefix(r.URL.Path, "/api/") {
			next.ServeHTTP(w, r)
			return
		}
		with.ServeHTTP(w, r)
	})
}

// ofCandidate says whether a request is on the candidates' side.
func ofCandidate(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/my/") || strings.HasPrefix(r.URL.Path, "/i/")
}

// render sends a page. Nothing is sent when it cannot be made.
func (s *Web) render(w http.ResponseWriter, status int, name pages.Name, model any) error {
	return s.opts.Pages.Render(&lateHeader{w: w, status: status}, name, model)
}

// lateHeader writes status and type with the first byte.
type lateHeader struct {
	w      http.ResponseWriter
	status int
	begun  bool
}

// Write implements io.Writer.
func (l *lateHeader) Write(p []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "text/html; charset=utf-8")
		l.w.WriteHeader(l.status)
	}
	return l.w.Write(p)
}

// goTo sends a browser to a route, to be asked for by GET.
func goTo(w http.ResponseWriter, r *http.Request, name string, args ...string) error {
	path, err := pages.Path(name, args...)
	if err != nil {
		return err
	}
	http.Redirect(w, r, path, http.StatusSeeOther) // #nosec G710 -- a route of ours
	return nil
}

// goToWith is goTo with a notice that the page shows.
func goToWith(w http.ResponseWriter, r *http.Request, n pages.Notice, name string, args ...string) error {
	path, err := pages.Path(name, args...)
	if err != nil {
		return err
	}
	http.Redirect(w, r, path+"?done="+strings.TrimPrefix(string(n), "notice."), http.StatusSeeOther) // #nosec G710 -- a route of ours
	return nil
}

// problem is the page of an error.
func (s *Web) problem(w http.ResponseWriter, r *http.Request, p httpbase.Problem) {
	if p.Status == http.StatusUnauthorized && !ofCandidate(r) {
		s.toSignIn(w, r)
		return
	}
	shown := p.Status
	switch shown {
	case http.StatusUnauthorized:
		shown = http.StatusForbidden
	case http.StatusUnprocessableEntity:
		shown = http.StatusBadRequest
	}
	model := pages.Error{
		Frame: pages.Frame{Now: s.opts.Now()}, Status: shown, Message: p.Detail, RequestID: p.RequestID, RetryIn: p.RetryAfter, Candidate: ofCandidate(r),
	}
	if p.Code == platform.Internal {
		model.Message = "" // the page has better words
	}
	if err := s.render(w, p.Status, pages.PageError, model); err != nil {
		s.opts.HTTP.Log.ErrorContext(r.Context(), "page of an error", "request", p.RequestID, "error", err)
	}
}

// log is where what the other side is not told goes.
func (s *Web) log() *slog.Logger { return s.opts.HTTP.Log }
