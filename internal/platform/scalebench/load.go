package scalebench

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"time"

	"github.com/assay-run/assay/internal/accuracy"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/auth"
	"github.com/assay-run/assay/internal/platform/store"
)

// Server is a server in a process of its own.
type Server interface {
	// URL is where it is, on this machine.
	URL() string
	// CPU is what it has used so far.
	CPU() (time.Duration, error)
	// Stop lets it end, waits, and tells how many bytes of memory it had at most.
	Stop() (peak int64, err error)
}

// LoadOptions say what load is put on a server. All are needed.
type LoadOptions struct {
	Address string // of an empty database
	Dir     string // the server's data folder
	// Candidates work on assessments of one organisation. Streams of them follow the news of their page, the others load it every
	// Poll. Each hands a small project in once: every second one for good, the others as a dry run.
	Candidates, Streams int
	Poll                time.Duration
	// Team members look at dashboards every Look.
	Team int
	Look time.Duration
	// Length is how long the load lasts.
	Length   time.Duration
	Start    func() (Server, error)
	Progress func(string)
}

// Kind is one kind of request.
type Kind struct {
	Name     string  `json:"name"`
	Requests int     `json:"requests"`
	Errors   int     `json:"errors"`
	P50Ms    float64 `json:"p50Ms"` // from when it was due
	P99Ms    float64 `json:"p99Ms"`
	MaxMs    float64 `json:"maxMs"`
	MaxAtS   float64 `json:"maxAtS"` // when the slowest was due, in seconds from the beginning
}

// LoadReport is what was measured.
type LoadReport struct {
	Database   string  `json:"database"`
	CPUs       int     `json:"cpus"`
	Candidates int     `json:"candidates"`
	Streams    int     `json:"streams"`
	Team       int     `json:"team"`
	PollMs     int64   `json:"pollMs"`
	Seconds    float64 `json:"seconds"`
	Kinds      []Kind  `json:"kinds"`
	// Cores are how many were busy on average.
	ServerCores    float64 `json:"serverCores"`
	DatabaseCores  float64 `json:"databaseCores"`
	GeneratorCores float64 `json:"generatorCores"`
	ServerPeak     int64   `json:"serverPeakBytes"`
	// Events are what streams were told; Handed, Graded and Waiting count submissions when the load ended.
	Events  int `json:"events"`
	Handed  int `json:"handed"`
	Graded  int `json:"graded"`
	Waiting int `json:"waiting"`
	// Problems are the first errors, in words.
	Problems []string `json:"problems,omitempty"`
}

const teamPassword = "a bench of nobody's people" // #nosec G101 -- of nobody

// MeasurePlatform fills an installation, starts its server and puts the load on it. The installation stays.
func MeasurePlatform(ctx context.Context, o LoadOptions) (_ *LoadReport, err error) {
	if o.Candidates < 1 || o.Streams < 0 || o.Streams > o.Candidates || o.Team < 0 || o.Poll <= 0 || o.Look <= 0 || o.Length <= 0 {
		return nil, errors.New("measure platform: there are candidates, not more streams than these, and times are positive")
	}
	if o.Candidates > maxAddresses-o.Team {
		return nil, fmt.Errorf("measure platform: %d people at most, each with an address of its own", maxAddresses)
	}
	s, err := store.Open(ctx, store.Options{Address: o.Address})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	l := &load{LoadOptions: o, tally: newTally()}
	if err := l.fill(ctx, s); err != nil {
		return nil, err
	}
	db, err := watchDatabase(ctx, s)
	if err != nil {
		return nil, err
	}
	r := &LoadReport{
		Database: "SQLite", CPUs: runtime.NumCPU(), Candidates: o.Candidates, Streams: o.Streams, Team: o.Team, PollMs: o.Poll.Milliseconds(),
	}
	if s.Postgres() {
		r.Database = "PostgreSQL"
	}
	server, err := o.Start()
	if err != nil {
		return nil, err
	}
	l.base = server.URL()
	err = l.run(ctx, server, db, r)
	peak, stopped := server.Stop()
	r.ServerPeak = peak
	if err := errors.Join(err, stopped); err != nil {
		return nil, err
	}
	return r, l.look(ctx, s, r)
}

// load is one that is under way.
type load struct {
	LoadOptions
	base        string
	people      []working
	assessments []platform.ID
	tally       *tally
}

// assessments is how many there are: a team has more than one.
const assessments = 4

func (l *load) fill(ctx context.Context, s *store.Store) error {
	passwords, err := auth.NewPasswords(auth.DefaultCost(), 1)
	if err != nil {
		return err
	}
	hash, err := passwords.Hash(ctx, teamPassword)
	if err != nil {
		return err
	}
	in, err := setUp(ctx, s, hash)
	if err != nil {
		return err
	}
	for i := range assessments {
		n := l.Candidates / assessments
		if i == 0 {
			n += l.Candidates % assessments
		}
		l.Progress(fmt.Sprintf("inviting %d candidates to assessment %d of %d", n, i+1, assessments))
		as, some, err := in.candidates(ctx, in.home, n)
		if err != nil {
			return err
		}
		l.people, l.assessments = append(l.people, some...), append(l.assessments, as.ID)
	}
	return nil
}

// run puts the load on a server that is ready, and measures what it and the database use meanwhile.
func (l *load) run(ctx context.Context, server Server, db *database, r *LoadReport) error {
	l.Progress(fmt.Sprintf("%d candidates and %d of the team, for %s", l.Candidates, l.Team, l.Length))
	cpu, err := server.CPU()
	if err != nil {
		return err
	}
	from, err := db.count(ctx)
	if err != nil {
		return err
	}
	own := ownCPU()
	archive, err := project()
	if err != nil {
		return err
	}
	begun := time.Now()
	l.tally.begun = begun
	if err := l.put(ctx, archive, begun); err != nil {
		return err
	}
	took := time.Since(begun).Seconds()
	r.GeneratorCores = (ownCPU() - own).Seconds() / took
	to, err := db.count(ctx)
	if err != nil {
		return err
	}
	after, err := server.CPU()
	if err != nil {
		return err
	}
	r.Seconds, r.ServerCores, r.DatabaseCores = took, (after-cpu).Seconds()/took, (to.cpu-from.cpu).Seconds()/took
	r.Kinds, r.Events, r.Problems = l.tally.kinds(), l.tally.events, l.tally.problems
	return nil
}

// look counts what is there when the server has ended.
func (l *load) look(ctx context.Context, s *store.Store, r *LoadReport) error {
	return s.View(ctx, func(tx *store.Tx) error {
		return tx.SQL().QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN state = 'graded' THEN 1 ELSE 0 END), 0),
			COALESCE(SUM(CASE WHEN state IN ('queued', 'retrying', 'running') THEN 1 ELSE 0 END), 0) FROM jobs`).Scan(&r.Handed, &r.Graded, &r.Waiting)
	})
}

// project is a small submission.
func project() ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, body := range map[string]string{
		"package.json":   `{"name":"work","version":"1.0.0","type":"module","scripts":{"start":"node src/main.mjs"}}`,
		"src/main.mjs":   string(bytes.Repeat([]byte("console.log('a line of somebody\\'s work')\n"), 400)),
		"src/helper.mjs": "export const one = 1\n",
	} {
		f, err := w.Create(filepath.ToSlash(name))
		if err != nil {
			return nil, fmt.Errorf("pack project: %w", err)
		}
		if _, err := io.WriteString(f, body); err != nil {
			return nil, fmt.Errorf("pack project: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack project: %w", err)
	}
	return out.Bytes(), nil
}

// Errors is how many requests failed.
func (r *LoadReport) Errors() (n int) {
	for _, k := range r.Kinds {
		n += k.Errors
	}
	return n
}

// Write writes the report in words.
func (r *LoadReport) Write(out io.Writer) error {
	var t accuracy.Table
	t.Head = []string{"request", "n", "errors", "p50 ms", "p99 ms", "max ms", "at s"}
	for _, k := range r.Kinds {
		t.Add(k.Name, fmt.Sprint(k.Requests), fmt.Sprint(k.Errors), fmt.Sprintf("%.0f", k.P50Ms), fmt.Sprintf("%.0f", k.P99Ms), fmt.Sprintf("%.0f", k.MaxMs), fmt.Sprintf("%.0f", k.MaxAtS))
	}
	_, err := fmt.Fprintf(out, "%s, %d candidates (%d with a stream, the others load their page every %g s), %d of the team, %.0f s, %d CPUs\n\n%s\n"+
		"cores busy: server %.2f, database %.2f, this generator %.2f; server's memory at most %d MiB\n"+
		"%d submissions handed in, %d graded, %d waiting; %d events on streams\n",
		r.Database, r.Candidates, r.Streams, float64(r.PollMs)/1000, r.Team, r.Seconds, r.CPUs, t.String(), r.ServerCores, r.DatabaseCores, r.GeneratorCores,
		r.ServerPeak>>20, r.Handed, r.Graded, r.Waiting, r.Events)
	for _, p := range r.Problems {
		if err == nil {
			_, err = fmt.Fprintf(out, "  error: %s\n", p)
		}
	}
	return err
}

// statusOK says whether an answer is one that a browser goes on from.
func statusOK(status int) bool { return status < http.StatusBadRequest }
