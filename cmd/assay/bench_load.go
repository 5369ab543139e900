package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/assay-run/assay/graders/knowntruth"
	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/internal/accuracy"
	"github.com/assay-run/assay/internal/gradework"
	"github.com/assay-run/assay/internal/scratch"
)

const (
	loadStallMs = 100
	loadRestMs  = 900
)

// benchLoad puts generators one after the other on a server of this machine that stalls at known times. It is not in a
// container, because the other generators are not.
func (a *app) benchLoad(ctx context.Context, opts benchOptions, report *accuracy.Report) (err error) {
	node, err := exec.LookPath("node")
	if err != nil {
		report.Load = &accuracy.Generators{Missing: []string{"There is no Node on this machine: the bench of load generators was left out."}}
		return nil
	}
	dir, err := scratch.Make("", "bench")
	if err != nil {
		return fmt.Errorf("make folder for the known program: %w", err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := gradework.CopyTree(knowntruth.Program(), dir.Path); err != nil {
		return fmt.Errorf("write known program: %w", err)
	}
	d := newDisplay(a.err, a.plain)
	defer d.Done()
	g := &accuracy.Generators{StallMs: loadStallMs, EveryMs: loadStallMs + loadRestMs}
	report.Load = g
	length := time.Duration(opts.few(5, 20)) * time.Second
	var list []generator
	list, g.Missing = generators(opts.tools)
	for i, gen := range list {
		d.Update(fmt.Sprintf("load %d of %d: %s", i+1, len(list), gen.name), 0, 0, "")
		s := hostServer{node: node, dir: dir.Path, length: length}
		one, err := s.measure(ctx, gen)
		if err != nil {
			return err
		}
		g.List = append(g.List, one)
	}
	return nil
}

// generator is one way to make a load for a time.
type generator struct {
	name string
	hz   float64 // asked for; 0 for as much as it can
	run  func(ctx context.Context, addr string, d time.Duration) (accuracy.Generator, error)
}

// generators are ours, and those that this machine has. missing says how to get the others.
func generators(tools string) (list []generator, missing []string) {
	for _, hz := range []float64{100, 500, 1000} {
		list = append(list, generator{"assay, open loop", hz, func(ctx context.Context, addr string, d time.Duration) (accuracy.Generator, error) {
			hb, err := knowntruth.OpenLoop(ctx, addr, "/healthz", hz, d)
			within := (d - 100*time.Millisecond).Seconds() // what OpenLoop looks at
			return accuracy.Generator{
				ActualHz: float64(hb.Answered) / within,
				P50Ms:    float64(hb.P50Ns) / 1e6, P99Ms: float64(hb.P99Ns) / 1e6, MaxMs: float64(hb.MaxNs) / 1e6,
			}, err
		}})
	}
	if path, err := exec.LookPath("wrk"); err == nil {
		list = append(list, generator{"wrk, 10 connections", 0, func(ctx context.Context, addr string, d time.Duration) (accuracy.Generator, error) {
			out, err := output(ctx, path, "-t1", "-c10", "-d"+strconv.Itoa(int(d.Seconds()))+"s", "--latency", "http://"+addr+"/healthz")
			if err != nil {
				return accuracy.Generator{}, err
			}
			return readWrk(string(out))
		}})
	} else {
		missing = append(missing, "wrk is not there: `apt-get install wrk` on Debian or Ubuntu.")
	}
	path := filepath.Join(tools, "node_modules", ".bin", "autocannon")
	if tools == "" {
		path = "autocannon"
	}
	if path, err := exec.LookPath(path); err == nil {
		list = append(list, autocannon("autocannon, 10 connections", path, 0), autocannon("autocannon, 10 connections", path, 1000))
	} else {
		missing = append(missing, "autocannon is not there: `npm install --prefix FOLDER autocannon`, then --tools FOLDER.")
	}
	return list, missing
}

func autocannon(name, path string, hz float64) generator {
	return generator{name, hz, func(ctx context.Context, addr string, d time.Duration) (accuracy.Generator, error) {
		args := []string{"-c", "10", "-d", strconv.Itoa(int(d.Seconds())), "--json"}
		if hz > 0 {
			args = append(args, "-R", strconv.Itoa(int(hz)))
		}
		out, err := output(ctx, path, append(args, "http://"+addr+"/healthz")...)
		if err != nil {
			return accuracy.Generator{}, err
		}
		return readAutocannon(out)
	}}
}

func output(ctx context.Context, path string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, path, args...).Output()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", filepath.Base(path), err)
	}
	return out, nil
}

// readAutocannon reads the figures of `autocannon --json`.
func readAutocannon(out []byte) (accuracy.Generator, error) {
	var r struct {
		Requests struct{ Average float64 }
		Latency  struct {
			P50 float64 `json:"p50"`
			P99 float64 `json:"p99"`
			Max float64 `json:"max"`
		}
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return accuracy.Generator{}, fmt.Errorf("read result of autocannon: %w", err)
	}
	return accuracy.Generator{ActualHz: r.Requests.Average, P50Ms: r.Latency.P50, P99Ms: r.Latency.P99, MaxMs: r.Latency.Max}, nil
}

var (
	wrkFigure = regexp.MustCompile(`(?m)^\s+(50|99)%\s+(\S+)\s*$`)
	wrkMax    = regexp.MustCompile(`(?m)^\s+Latency\s+\S+\s+\S+\s+(\S+)`)
	wrkRate   = regexp.MustCompile(`(?m)^Requests/sec:\s+(\S+)`)
)

// readWrk reads the figures of `wrk --latency`.
func readWrk(out string) (accuracy.Generator, error) {
	var g accuracy.Generator
	var errs []error
	length := func(text string) float64 {
		d, err := time.ParseDuration(text)
		errs = append(errs, err)
		return float64(d) / 1e6
	}
	figures := wrkFigure.FindAllStringSubmatch(out, -1)
	most, rate := wrkMax.FindStringSubmatch(out), wrkRate.FindStringSubmatch(out)
	if len(figures) != 2 || most == nil || rate == nil {
		return g, fmt.Errorf("read result of wrk: %.300s", out)
	}
	var err error
	g.ActualHz, err = strconv.ParseFloat(rate[1], 64)
	errs = append(errs, err)
	g.P50Ms, g.P99Ms, g.MaxMs = length(figures[0][2]), length(figures[1][2]), length(most[1])
	return g, errors.Join(errs...)
}

// hostServer is the known program on this machine, with a stall every second.
type hostServer struct {
	node, dir string
	length    time.Duration
}

// measure starts a fresh server, puts one generator on it, and ends it.
func (s hostServer) measure(ctx context.Context, gen generator) (g accuracy.Generator, err error) {
	port, err := loopback.FreePort()
	if err != nil {
		return g, err
	}
	addr, out := net.JoinHostPort("127.0.0.1", port), filepath.Join(s.dir, "truth.json")
	var steps []knowntruth.Step
	for range int(s.length.Seconds()) + 60 {
		steps = append(steps, knowntruth.Step{Do: knowntruth.DoRest, Ms: loadRestMs},
			knowntruth.Step{Do: knowntruth.DoBlock, How: knowntruth.BlockCPU, Ms: loadStallMs})
	}
	env, err := knowntruth.Environment(steps, port, out)
	if err != nil {
		return g, err
	}
	c := exec.CommandContext(ctx, s.node, knowntruth.Start()[1:]...)
	c.Dir, c.Env, c.Stderr = s.dir, os.Environ(), nil
	for k, v := range env {
		c.Env = append(c.Env, k+"="+v)
	}
	if err := c.Start(); err != nil {
		return g, fmt.Errorf("start known program: %w", err)
	}
	stop := func() error {
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			return fmt.Errorf("end known program: %w", err)
		}
		return c.Wait()
	}
	err = knowntruth.Await(ctx, addr)
	from := knowntruth.Now()
	if err == nil {
		g, err = gen.run(ctx, addr, s.length)
	}
	to := knowntruth.Now()
	if err := errors.Join(err, stop()); err != nil {
		return g, err
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return g, fmt.Errorf("read truth: %w", err)
	}
	truth, err := knowntruth.ReadTruth(string(text))
	g.Name, g.AskedHz = gen.name, gen.hz
	g.Expect(truth, from, to)
	return g, err
}
