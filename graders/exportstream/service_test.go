package exportstream

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/service/servicetest"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// exporter is the contract in Go, with faults to choose.
type exporter struct {
	faults faults
	source string
	gone   chan struct{} // closed by a service that ends by itself
	once   sync.Once
}

type faults struct {
	hoards    bool // reads the source without waiting for the client
	collects  bool // sends nothing before it has everything
	leaks     bool // keeps the source when the client has left
	deaf      bool // leaves it to the writing of an answer to notice that the client has left
	truncates bool // ends as if all were well when the source fails
	hangs     bool // does not end when the source fails
	unquoted  bool // no quotation marks
	quotesAll bool // quotation marks everywhere, which is right as well
	shorts    bool // leaves out the last row
	typeless  bool
	plain     bool // errors are no problem documents
	trickles  bool // a kilobyte at a time, with pauses
	cutsSlow  bool // cuts everybody off after a moment
	silent    bool // never answers /healthz
	dies      bool // at the first export
}

func (x *exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/healthz":
		if x.faults.silent {
			x.refuse(w, http.StatusServiceUnavailable)
		}
	case r.URL.Path != "/export":
		x.refuse(w, http.StatusNotFound)
	case x.faults.dies:
		x.once.Do(func() { close(x.gone) })
		panic(http.ErrAbortHandler)
	default:
		x.export(w, r)
	}
}

func (x *exporter) refuse(w http.ResponseWriter, status int) {
	if !x.faults.plain {
		w.Header().Set("Content-Type", "application/problem+json")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "title": http.StatusText(status)})
}

func (x *exporter) export(w http.ResponseWriter, r *http.Request) {
	rows, f := r.URL.Query().Get("rows"), format(r.URL.Query().Get("format"))
	if _, err := strconv.ParseUint(rows, 10, 63); err != nil || f != formatCSV && f != formatNDJSON {
		x.refuse(w, http.StatusBadRequest)
		return
	}
	ctx := r.Context()
	if x.faults.leaks || x.faults.deaf {
		ctx = context.WithoutCancel(ctx)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.source+"?rows="+rows, nil)
	if err != nil {
		panic(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		x.refuse(w, http.StatusBadGateway)
		return
	}
	if !x.faults.leaks {
		defer resp.Body.Close()
	}
	from := io.Reader(resp.Body)
	switch {
	case x.faults.hoards:
		from = hoard(from)
	case x.faults.collects:
		all, _ := io.ReadAll(io.LimitReader(from, 32<<20))
		from = bytes.NewReader(all)
	}
	if !x.faults.typeless {
		w.Header().Set("Content-Type", map[format]string{formatCSV: "text/csv; charset=utf-8", formatNDJSON: "application/x-ndjson"}[f])
	}
	switch err = x.convert(w, from, f); {
	case err == nil || x.faults.truncates:
	case x.faults.hangs && r.Context().Err() == nil:
		<-r.Context().Done()
	default:
		panic(http.ErrAbortHandler)
	}
}

// hoard reads as fast as it can and keeps what nobody wants yet, up to a bound that spares this process.
func hoard(from io.Reader) io.Reader {
	out, in := io.Pipe()
	var mu sync.Mutex
	more := sync.NewCond(&mu)
	var kept [][]byte
	total, ended := 0, false
	go func() {
		for b := make([]byte, 64<<10); total < 16<<20; {
			n, err := from.Read(b)
			mu.Lock()
			kept = append(kept, bytes.Clone(b[:n]))
			total += n
			ended = err != nil
			mu.Unlock()
			more.Signal()
			if err != nil {
				return
			}
		}
	}()
	go func() {
		for {
			mu.Lock()
			for len(kept) == 0 && !ended {
				more.Wait()
			}
			if len(kept) == 0 {
				mu.Unlock()
				_ = in.Close()
				return
			}
			next := kept[0]
			kept = kept[1:]
			mu.Unlock()
			if _, err := in.Write(next); err != nil {
				return
			}
		}
	}()
	return out
}

// convert hands on line by line.
func (x *exporter) convert(w http.ResponseWriter, from io.Reader, f format) error {
	in := bufio.NewReaderSize(from, 64<<10)
	if f == formatCSV {
		if _, err := io.WriteString(w, header); err != nil {
			return err
		}
	}
	_ = http.NewResponseController(w).Flush()
	if x.faults.cutsSlow {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	}
	var before []byte
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			text, cerr := x.line(bytes.TrimSuffix(line, []byte("\n")), f)
			if cerr != nil {
				return cerr
			}
			if !x.faults.shorts {
				before = text
			}
			if _, werr := w.Write(before); werr != nil {
				return werr
			}
			before = text
		}
		if x.faults.trickles {
			time.Sleep(20 * time.Millisecond)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if in.Buffered() == 0 {
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func (x *exporter) line(line []byte, f format) ([]byte, error) {
	if f == formatNDJSON {
		return append(line, '\n'), nil
	}
	var row struct {
		ID                                json.Number
		PlacedAt, Customer, City, Product string
		Quantity, Price                   json.Number
		Gift                              bool
		Note                              string
	}
	if err := json.Unmarshal(line, &row); err != nil {
		return nil, err
	}
	var out []string
	for _, text := range []string{
		row.ID.String(), row.PlacedAt, row.Customer, row.City, row.Product, row.Quantity.String(), row.Price.String(), strconv.FormatBool(row.Gift), row.Note,
	} {
		if x.faults.quotesAll || !x.faults.unquoted && strings.ContainsAny(text, "\",\r\n") {
			text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
		}
		out = append(out, text)
	}
	return []byte(strings.Join(out, ",") + "\r\n"), nil
}

// lighten makes the large exports smaller: under the race detector they take long.
func lighten(t *testing.T, p *graders.Prepared) {
	t.Helper()
	var drive params
	var judge truth
	require.NoError(t, json.Unmarshal(p.Params, &drive))
	require.NoError(t, json.Unmarshal(p.Truth, &judge))
	for i := range drive.Specs {
		s := &drive.Specs[i]
		if s.Group == groupBytes && s.Rows > 30_000 {
			s.Rows /= 10
		}
		s.FailRows /= 10
		if s.Script.AbortAfter > 0 {
			s.Script.AbortAfter /= 10
		}
	}
	judge.Specs = drive.Specs
	var err error
	p.Params, err = json.Marshal(drive)
	require.NoError(t, err)
	p.Truth, err = json.Marshal(judge)
	require.NoError(t, err)
}

// graded drives an exporter through a scenario and judges it.
func graded(t *testing.T, k kind, f faults) evidence.Measures {
	t.Helper()
	with := map[string]any{"kind": string(k)}
	if k == kindReaders {
		with = map[string]any{"kind": string(k), "seconds": 3, "slow": 3, "stalled": 1, "leaving": 2}
	}
	prepared, err := New().Prepare(t.Context(), graders.Preparation{Scenario: string(k), With: with, Seed: testSeed, Timeout: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	lighten(t, &prepared)
	pod := &servicetest.Pod{
		Serve: func(c workload.Command) (http.Handler, <-chan struct{}) {
			x := &exporter{faults: f, source: c.Env["SOURCE_URL"], gone: make(chan struct{})}
			return x, x.gone
		},
		Usage: evidence.Usage{MemoryPeakBytes: 60 << 20, CPUNs: 1e9, MaxProcesses: 1},
	}
	executions, err := New().Drive(t.Context(), pod, prepared.Params)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New().Measure(evidence.Run{Scenario: string(k), Executions: executions}, prepared.Truth)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
