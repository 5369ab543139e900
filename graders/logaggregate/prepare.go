package logaggregate

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/dataset"
	"github.com/assay-run/assay/graders/loggen"
	"github.com/assay-run/assay/internal/workload"
)

// mainExecution is the name of the only execution of a scenario that is not the anomaly pack.
const mainExecution = "main"

// heartbeatHz is the rate of GET /progress while one large file is read. The files of the anomaly pack are too small for
// a heartbeat to say anything.
const heartbeatHz = 100

// params is what Drive gets. It says nothing about contents.
type params struct {
	Files     []input       `json:"files"` // in the order in which they are given
	TimeoutNs time.Duration `json:"timeoutNs"`
	Hz        float64       `json:"hz"` // 0 for no heartbeat
}

// input is a file for the submission.
type input struct {
	Case  string `json:"case"`  // name of the execution
	File  string `json:"file"`  // below the data directory
	Bytes int64  `json:"bytes"` // of the text
	Disk  int64  `json:"disk"`  // of the file
}

// truth is what Measure gets.
type truth struct {
	Kind  kind    `json:"kind"`
	Files []known `json:"files"`
}

// known is a file with what is expected of it.
type known struct {
	loggen.Anomaly               // ID is the name of the execution
	File           string        `json:"file"`
	Disk           int64         `json:"disk"`
	Bytes          int64         `json:"bytes"` // of the text
	Want           *loggen.Truth `json:"want,omitempty"`
}

// Prepare implements graders.Grader. Data sets are kept by kind, size and seed, and are used again when they are there.
func (*Grader) Prepare(ctx context.Context, p graders.Preparation) (graders.Prepared, error) {
	s, err := parseSettings(p.With)
	if err != nil {
		return graders.Prepared{}, fmt.Errorf("prepare %s: %w", Name, err)
	}
	m := maker{settings: s, seed: derive(p.Seed, string(s.kind)+sizeText(s.size)), report: p.Report}
	set, err := dataset.Open(p.CacheDir, p.CacheLimit).Get(ctx, m.key(), m.need(), m.fill)
	if err != nil {
		return graders.Prepared{}, fmt.Errorf("prepare %s: %w", Name, err)
	}
	out, err := m.prepared(set, p.Timeout)
	if err != nil {
		set.Release()
		return graders.Prepared{}, fmt.Errorf("prepare %s: %w", Name, err)
	}
	return out, nil
}

// derive makes a seed of its own for a purpose.
func derive(seed []byte, purpose string) []byte {
	mac := hmac.New(sha256.New, seed)
	mac.Write([]byte(Name + "/" + purpose))
	return mac.Sum(nil)
}

// maker makes the data set of a scenario.
type maker struct {
	settings settings
	seed     []byte
	report   func(workload.Progress)
}

// key names the data set. It carries no more of the seed than a hash.
func (m *maker) key() string {
	hash := derive(m.seed, "key")
	return fmt.Sprintf("%s-v%d-%s-%s-%s", Name, loggen.Version, m.settings.kind, sizeText(m.settings.size), hex.EncodeToString(hash[:8]))
}

// need is how much disk the files take at most.
func (m *maker) need() int64 {
	if m.settings.kind == kindAnomalies {
		return loggen.AnomalyBytes
	}
	return m.settings.size + m.settings.size/50 + 1<<20
}

// fill implements dataset.Fill.
func (m *maker) fill(ctx context.Context, dir string) (json.RawMessage, error) {
	t := truth{Kind: m.settings.kind}
	var err error
	if m.settings.kind == kindAnomalies {
		t.Files, err = m.anomalies(ctx, dir)
	} else {
		t.Files, err = m.single(ctx, dir)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(t)
}

// fileName looks random and does not tell what is in the file.
func (m *maker) fileName(id string, zipped bool) string {
	name := hex.EncodeToString(derive(m.seed, "file "+id)[:6]) + ".log"
	if zipped {
		name += ".gz"
	}
	return name
}

func (m *maker) anomalies(ctx context.Context, dir string) ([]known, error) {
	list, err := loggen.Anomalies(ctx, dir, loggen.AnomalyOptions{
		Seed: m.seed, Path: func(a loggen.Anomaly) string { return m.fileName(a.ID, a.Gzip) }, Progress: m.progress(loggen.AnomalyBytes),
	})
	if err != nil {
		return nil, err
	}
	files := make([]known, len(list))
	for i, f := range list {
		files[i] = known{Anomaly: f.Anomaly, File: filepath.Base(f.Path), Disk: f.Bytes, Bytes: f.TextBytes, Want: f.Truth}
	}
	return files, nil
}

func (m *maker) single(ctx context.Context, dir string) ([]known, error) {
	zipped := m.settings.kind == kindGzip
	k := known{Anomaly: loggen.Anomaly{ID: mainExecution, Title: "Every figure of the log is right", Weight: 1, Gzip: zipped}}
	k.File = m.fileName(k.ID, zipped)
	path := filepath.Join(dir, k.File)
	generate := loggen.GenerateFile
	if zipped {
		k.Title = "Every figure of the compressed log is right"
		generate = loggen.GenerateGzipFile
	}
	want, err := generate(ctx, path, loggen.Options{Seed: m.seed, Bytes: m.settings.size, Progress: m.progress(m.settings.size)})
	if err != nil {
		return nil, err
	}
	k.Want, k.Bytes = &want, want.Bytes
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("measure log: %w", err)
	}
	k.Disk = info.Size()
	return []known{k}, nil
}

// progress reports at most a hundred times.
func (m *maker) progress(total int64) func(int64) {
	if m.report == nil {
		return nil
	}
	next := int64(0)
	return func(done int64) {
		if done < next {
			return
		}
		next = done + total/100
		m.report(workload.Progress{Phase: "making the data", Done: min(done, total), Total: total, Unit: "bytes"})
	}
}

// prepared describes the set to the driver and the judge.
func (m *maker) prepared(set *dataset.Set, timeout time.Duration) (graders.Prepared, error) {
	var t truth
	if err := json.Unmarshal(set.Truth, &t); err != nil {
		return graders.Prepared{}, fmt.Errorf("read truth of data set: %w", err)
	}
	p := params{TimeoutNs: timeout}
	if m.settings.kind != kindAnomalies {
		p.Hz = heartbeatHz
	}
	out := graders.Prepared{DataDir: set.Dir, Truth: set.Truth, Release: set.Release}
	for _, f := range t.Files {
		p.Files = append(p.Files, input{Case: f.ID, File: f.File, Bytes: f.Bytes, Disk: f.Disk})
		out.Files = append(out.Files, filepath.Join(set.Dir, f.File))
		out.Bytes += f.Disk
	}
	rng := rand.New(rand.NewChaCha8([32]byte(derive(m.seed, "order"))))
	rng.Shuffle(len(p.Files), func(i, j int) { p.Files[i], p.Files[j] = p.Files[j], p.Files[i] })
	var err error
	if out.Params, err = json.Marshal(p); err != nil {
		return graders.Prepared{}, fmt.Errorf("write params: %w", err)
	}
	return out, nil
}
