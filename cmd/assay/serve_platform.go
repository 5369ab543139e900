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
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/assay-run/assay/internal/platform/auth"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/mail"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/queue"
	"github.com/assay-run/assay/internal/platform/seal"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/web"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
	"github.com/assay-run/assay/internal/platform/worker"
)

// platformParts are the parts of a server that are open.
type platformParts struct {
	set     serveSettings
	log     *slog.Logger
	store   *store.Store
	blobs   blob.Store
	queue   *queue.Queue
	service *service.Service
	courier *mail.Courier
	worker  *worker.Worker // nil: others grade
	slots   int
	// closers are called in turn from the last, whether all parts were opened or not.
	closers []func() error
}

func (p *platformParts) close() error {
	var failed []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		failed = append(failed, p.closers[i]())
	}
	p.closers = nil
	return errors.Join(failed...)
}

// openPlatform opens everything but the listener.
func (a *app) openPlatform(ctx context.Context, set serveSettings, log *slog.Logger) (_ *platformParts, err error) {
	p := &platformParts{set: set, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if err := makeDirs(set.DataDir, set.uploads()); err != nil {
		return nil, err
	}
	if err := sweepUploads(set.uploads(), time.Now()); err != nil {
		return nil, err
	}
	if p.store, err = store.Open(ctx, store.Options{Address: set.Database}); err != nil {
		return nil, err
	}
	p.closers = append(p.closers, p.store.Close)
	if err := p.openBlobs(ctx); err != nil {
		return nil, err
	}
	if p.queue, err = queue.Open(ctx, queue.Options{Store: p.store, Log: quiet(log)}); err != nil {
		return nil, err
	}
	box, err := seal.New(set.Key)
	if err != nil {
		return nil, err
	}
	if err := a.openService(p, box); err != nil {
		return nil, err
	}
	if err := p.openCourier(box); err != nil {
		return nil, err
	}
	return p, a.openWorker(ctx, p)
}

// quiet is a log without what the job engine says of itself all the time.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(atLeast{log.Handler(), slog.LevelWarn}) }

// atLeast is a handler that hears of a level and those above it.
type atLeast struct {
	slog.Handler
	level slog.Level
}

// Enabled implements slog.Handler.
func (h atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements slog.Handler.
func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.Handler.WithGroup(name), h.level}
}

func (p *platformParts) openBlobs(ctx context.Context) error {
	if p.set.S3.Endpoint != "" {
		opts := p.set.S3
		opts.TempDir = p.set.uploads()
		bucket, err := blob.OpenS3(ctx, opts)
		p.blobs = bucket
		return err
	}
	files, err := blob.OpenFiles(p.set.blobs(), time.Now())
	if err != nil {
		return err
	}
	p.blobs = files
	p.closers = append(p.closers, files.Close)
	return nil
}

func (a *app) openService(p *platformParts, box *seal.Box) error {
	all, err := a.challenges()
	if err != nil {
		return err
	}
	passwords, err := auth.NewPasswords(auth.DefaultCost(), runtime.NumCPU())
	if err != nil {
		return err
	}
	resetKey, err := seal.Derive(p.set.Key, "password links")
	if err != nil {
		return err
	}
	p.service, err = service.New(service.Options{
		Store: p.store, Blobs: p.blobs, Queue: p.queue, Challenges: all, Passwords: passwords, Sealer: box, ResetKey: resetKey,
		EraseFolder: func(ctx context.Context, prefix string) (int, error) { return blob.Erase(ctx, p.blobs, prefix) },
		SetUpToken:  p.set.SetUpCode, TempDir: p.set.uploads(), PlaceAge: time.Second,
	})
	return err
}

func (p *platformParts) openCourier(box *seal.Box) error {
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
		Store: p.store, Opener: box, Templates: templates, Sender: sender, From: p.set.From, Log: p.log,
	})
	return err
}

// openWorker makes the worker of this process, unless others grade.
func (a *app) openWorker(ctx context.Context, p *platformParts) error {
	if !p.set.Worker || a.grader == nil {
		return nil
	}
	in, err := a.grader(ctx, p.log)
	if err != nil {
		return err
	}
	if in.Close != nil {
		p.closers = append(p.closers, in.Close)
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("find name of this machine: %w", err)
	}
	p.slots = max(in.Slots, 1)
	p.worker, err = worker.New(worker.Options{
		Store: p.store, Queue: p.queue, Blobs: p.blobs, Grader: in.Grader, Log: p.log, Name: host, Version: assayVersion(), Slots: p.slots,
		Ended: p.service.GradingMoved,
	})
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
		Service: p.service, Pages: texts, Sessions: auth.NewSessions(p.store.Sessions(), p.set.secure()), URL: p.set.URL,
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
	if public, err = site.Handler(); err != nil {
		return nil, nil, err
	}
	figures := http.NewServeMux()
	httpbase.ServeMetrics(figures, registry)
	return public, figures, nil
}

// findTools are the programs of a folder that candidates may download: assay-OS-ARCH, with .exe for Windows. Without a folder
// it is the program that runs.
func findTools(dir string) ([]web.Tool, error) {
	if dir == "" {
		own, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find own program: %w", err)
		}
		return toolAt(nil, runtime.GOOS+"-"+runtime.GOARCH, own)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
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
	return out, nil
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
