package httpthresholds

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/backends"
	"github.com/assay-run/assay/graders/httpload"
	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/graders/settings"
	"github.com/assay-run/assay/graders/stubs"
)

// params is what Drive gets: requests, and of what is expected the status alone.
type params struct {
	Schedule    httpload.Schedule         `json:"schedule"`
	WarmUpNs    time.Duration             `json:"warmUpNs"`
	WithinNs    time.Duration             `json:"withinNs"`
	Connections int                       `json:"connections"`
	Before      []request                 `json:"before"`
	Requests    []request                 `json:"requests"`
	Run         string                    `json:"run"`
	Env         map[string]string         `json:"env,omitempty"`
	Heartbeat   *beats                    `json:"heartbeat,omitempty"`
	Upstreams   map[string]stubs.Upstream `json:"upstreams,omitempty"`
	Seed        []byte                    `json:"seed"`
	Backends    backends.Plan             `json:"backends"`
	TimeoutNs   time.Duration             `json:"timeoutNs"`
}

// truth is what Measure gets.
type truth struct {
	Requests    []request `json:"requests"`
	MemoryBytes int64     `json:"memoryBytes"`
}

// contractMemory is taken for the memory limit where the preparation names none.
const contractMemory = 256 << 20

// Prepare implements graders.Grader. There are no input files: requests are in the params.
func (*Grader) Prepare(_ context.Context, p graders.Preparation) (graders.Prepared, error) {
	fail := func(err error) (graders.Prepared, error) {
		return graders.Prepared{}, fmt.Errorf("prepare %s: %w", Name, err)
	}
	w, err := read(p.With)
	if err != nil {
		return fail(err)
	}
	for i := range w.Requests {
		if _, err := w.Requests[i].Expect.SchemaFile(p.Files); err != nil {
			return fail(err)
		}
	}
	seed := derive(p.Seed)
	if need := w.schedule(nil).Duration() + service.ReadyWithin + reserve; p.Timeout > 0 && need > p.Timeout {
		return fail(fmt.Errorf("the load with start and end may take %s, and the time limit of the scenario is %s: raise timeout in challenge.yaml", need, p.Timeout))
	}
	d := params{
		Schedule: w.schedule(seed), WarmUpNs: settings.Duration(w.WarmUp, defaultWarmUp), WithinNs: settings.Duration(w.Within, defaultWithin),
		Connections: w.Connections, Before: w.Before, Run: hex.EncodeToString(seed[:4]), Env: w.Env, Heartbeat: w.Heartbeat,
		Upstreams: w.Upstreams, Seed: seed, TimeoutNs: p.Timeout,
	}
	if d.Backends, err = w.Database.Plan(p.Services, p.Files); err != nil {
		return fail(err)
	}
	for _, r := range w.Requests {
		r.Expect = nil
		d.Requests = append(d.Requests, r)
	}
	t := truth{Requests: w.Requests, MemoryBytes: p.MemoryBytes}
	if t.MemoryBytes == 0 {
		t.MemoryBytes = contractMemory
	}
	out := graders.Prepared{Bytes: int64(d.Schedule.Duration())}
	if out.Truth, err = json.Marshal(t); err != nil {
		return fail(err)
	}
	if out.Params, err = json.Marshal(d); err != nil {
		return fail(err)
	}
	return out, nil
}

// derive makes a seed of its own for this workload.
func derive(seed []byte) []byte {
	mac := hmac.New(sha256.New, seed)
	mac.Write([]byte(Name))
	return mac.Sum(nil)
}

// choices says which request each of n is, by their shares and the seed.
func (p *params) choices(n int) []int {
	var all float64
	for _, r := range p.Requests {
		all += r.share()
	}
	draw := rand.New(rand.NewPCG(binary.LittleEndian.Uint64(p.Seed), binary.LittleEndian.Uint64(p.Seed[8:])))
	out := make([]int, n)
	for i := range out {
		at := draw.Float64() * all
		for j, r := range p.Requests {
			if out[i] = j; at < r.share() {
				break
			}
			at -= r.share()
		}
	}
	return out
}

func (r *request) share() float64 {
	if r.Share > 0 {
		return r.Share
	}
	return 1
}

// good says whether a status is that of a good answer.
func (r *request) good(status int) bool {
	if r.Status != 0 {
		return status == r.Status
	}
	return status < 400
}
