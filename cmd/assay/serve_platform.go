package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/platform/api"
	"github.com/assay-run/assay/internal/platform/auth"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/mail"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/seal"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/web"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
	"github.com/assay-run/assay/internal/platform/webhook"
	"github.com/assay-run/assay/internal/platform/worker"
)

// platformParts are the parts of a server that are open.
type platformParts struct {
	set        serveSettings
	log        *slog.Logger
	data       *openStorage
	challenges []*challenges.Challenge
	box        *seal.Box
	service    *service.Service
	courier    *mail.Courier
	sender     *webhook.Sender
	worker     *worker.Worker // nil: others grade
	slots      int
	ready      func(context.Context) error // says why the worker cannot grade
}

// close closes what is open.
func (p *platformParts) close() error { return p.data.close() }

// openPlatform opens everything but the listener.
func (a *app) openPlatform(ctx context.Context, set serveSettings, log *slog.Logger) (_ *platformParts, err error) {
	p := &platformParts{set: set, log: log}
	if err := makeDirs(set.data, set.uploads()); err != nil {
		return nil, err
	}
	if err := sweepUploads(set.uploads(), time.Now()); err != nil {
		return nil, err
	}
	if p.challenges, err = a.challenges(); err != nil {
		return nil, err
	}
	if p.data, err = set.open(ctx, a); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.box, err = seal.New(set.Key); err != nil {
		return nil, err
	}
	if err := p.openService(); err != nil {
		return nil, err
	}
	if err := p.openCourier(); err != nil {
		return nil, err
	}
	p.sender, err = webhook.NewSender(webhook.Options{
		Store: p.data.store, Opener: p.box, Log: log, Allowed: set.WebhookNetworks, Plain: set.WebhookPlain,
	})
	if err != nil {
		return nil, err
	}
	return p, a.openWorker(ctx, p)
}

func (p *platformParts) openService() error {
	passwords, err := auth.NewPasswords(auth.DefaultCost(), runtime.NumCPU())
	if err != nil {
		return err
	}
	resetKey, err := seal.Derive(p.set.Key, "password links")
	if err != nil {
		return err
	}
	p.service, err = service.New(service.Options{
		Store: p.data.store, Blobs: p.data.blobs, Queue: p.data.queue, Challenges: p.challenges, Passwords: passwords, Sealer: p.box, ResetKey: resetKey,
		EraseFolder: func(ctx context.Context, prefix string) (int, error) { return blob.Erase(ctx, p.data.blobs, prefix) },
		ListFolder: func(ctx context.Context, prefix string, do func(string, time.Time) error) error {
			return p.data.blobs.Walk(ctx, prefix, func(i blob.Info) error { return do(i.Key, i.At) })
		},
		SetUpToken: p.set.SetUpCode, TempDir: p.set.uploads(), PlainEndpoints: p.set.WebhookPlain, PlaceAge: time.Second,
	})
	return err
}

func (p *platformParts) openCourier() error {
	templates, err := mail.NewTemplates(p.set.URL)
	if err != nil {
		return err
	}
	var sender mail.Sender
	if p.set.SMTP.Host == "" {
		sender, err = mail.OpenFiles(p.set.outbox())
	} else {
		sender, err = mail.NewSMTP(p.set.SMTP)
	}
	if err != nil {
		return err
	}
	p.courier, err = mail.NewCourier(mail.Options{
		Store: p.data.store, Opener: p.box, Templates: templates, Sender: sender, From: p.set.From, Log: p.log,
	})
	return err
}

// openWorker makes the worker of this process, unless others grade.
func (a *app) openWorker(ctx context.Context, p *platformParts) error {
	if !p.set.Worker {
		return nil
	}
	if a.engineName == "process" {
		return usagef("Use --engine docker, or leave grading to others with ASSAY_WORKER=off.",
			"what is handed in comes from strangers, and --engine process has no sandbox")
	}
	open := a.grader
	if open == nil {
		open = a.graderHere
	}
	in, err := open(ctx, p.challenges, p.log)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("find name of this machine: %w", err)
	}
	p.slots, p.ready = max(in.Slots, 1), in.Ready
	p.worker, err = newWorker(p.data, workerOptions{name: host, slots: p.slots, drain: defaultDrain}, in, p.log)
	return err
}

// handlers are the public one and, for an address that is not for the public, the one of metrics. ending is closed when streams
// are to end themselves.
func (p *platformParts) handlers(ending <-chan struct{}) (public, side http.Handler, err error) {
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := registry.Register(c); err != nil {
			return nil, nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	metrics, err := httpbase.NewMetrics(registry)
	if err != nil {
		return nil, nil, fmt.Errorf("register metrics: %w", err)
	}
	texts, err := pages.New()
	if err != nil {
		return nil, nil, err
	}
	tools, err := findTools(p.set.ToolsDir)
	if err != nil {
		return nil, nil, err
	}
	opts := web.Options{
		Service: p.service, Pages: texts, Sessions: auth.NewSessions(p.data.store.Sessions(), p.set.secure()), URL: p.set.URL,
		Mailed: p.set.SMTP.Host != "", NeedsCode: true, Tools: tools, Ending: ending,
		HTTP: httpbase.Options{Log: p.log, Secure: p.set.secure(), Proxies: p.set.Proxies, Origins: []string{p.set.URL}, Metrics: metrics},
	}
	if p.worker != nil {
		opts.Cancelled = p.worker.LookAgain
	}
	if p.set.OIDC.Issuer != "" {
		opts.Provider = &web.Provider{ID: "oidc", Name: p.set.OIDC.Name, OIDC: &lateOIDC{set: p.set}}
	}
	site, err := web.New(opts)
	if err != nil {
		return nil, nil, err
	}
	if public, err = site.Handler(p.addAPI); err != nil {
		return nil, nil, err
	}
	figures := http.NewServeMux()
	httpbase.ServeMetrics(figures, registry)
	return public, figures, nil
}

// addAPI puts the API beside the pages.
func (p *platformParts) addAPI(mux *http.ServeMux, base *httpbase.Base) error {
	_, err := api.New(mux, api.Options{
		Service: p.service, Base: base, Sealer: p.box, Version: assayVersion(), Link: func(token string) string { return p.set.URL + "/i/" + token },
	})
	return err
}

// findTools are the programs of a folder that candidates may download: assay-OS-ARCH, with .exe for Windows. The program that
// runs is for machines like this one, unless the folder has another.
func findTools(dir string) ([]web.Tool, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	asked := dir != ""
	if !asked {
		dir = filepath.Join(filepath.Dir(own), "downloads") // where `make downloads` puts them
	}
	entries, err := os.ReadDir(dir)
	if err != nil && asked {
		return nil, usagef("Name a folder with files like assay-linux-amd64.", "read ASSAY_TOOLS_DIR: %w", err)
	}
	var out []web.Tool
	for _, e := range entries {
		name, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".exe"), "assay-")
		if !ok || !e.Type().IsRegular() {
			continue
		}
		if out, err = toolAt(out, name, filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	here := runtime.GOOS + "-" + runtime.GOARCH
	if slices.ContainsFunc(out, func(t web.Tool) bool { return t.Platform == here }) {
		return out, nil
	}
	return toolAt(out, here, own)
}

func toolAt(to []web.Tool, machine, path string) ([]web.Tool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return to, nil // the program was replaced while it runs
	}
	if err != nil {
		return nil, fmt.Errorf("look at program: %w", err)
	}
	return append(to, web.Tool{Platform: machine, Name: machine, Path: path, Bytes: info.Size()}), nil
}

// lateOIDC asks the provider what it offers when somebody signs in first, so that a provider that is away keeps no server from
// starting.
type lateOIDC struct {
	set serveSettings

	mu   sync.Mutex
	oidc *auth.OIDC
}

func (l *lateOIDC) open(ctx context.Context) (*auth.OIDC, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.oidc != nil {
		return l.oidc, nil
	}
	// What it learns is used for longer than this request lasts.
	out, err := auth.NewOIDC(context.WithoutCancel(ctx), auth.OIDCOptions{
		Issuer: l.set.OIDC.Issuer, ClientID: l.set.OIDC.ClientID, ClientSecret: l.set.OIDC.ClientSecret, Domains: l.set.OIDC.Domains,
		RedirectURL: l.set.URL + "/sign-in/oidc/back",
	})
	if err != nil {
		return nil, err
	}
	l.oidc = out
	return out, nil
}

// Begin implements web.OIDC.
func (l *lateOIDC) Begin(ctx context.Context) (string, auth.Flow, error) {
	o, err := l.open(ctx)
	if err != nil {
		return "", auth.Flow{}, err
	}
	address, flow := o.Begin()
	return address, flow, nil
}

// End implements web.OIDC.
func (l *lateOIDC) End(ctx context.Context, f auth.Flow, query url.Values) (service.External, error) {
	o, err := l.open(ctx)
	if err != nil {
		return service.External{}, err
	}
	return o.End(ctx, f, query)
}
