//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// serve asks programs that listen on PORT, one after the other, and ends them.
type serve struct{}

// Name implements workload.Workload.
func (serve) Name() string { return "serve" }

// served is one of them.
type served struct {
	workload.Command
	For time.Duration `json:"for"` // how long it is asked
}

// Drive implements workload.Workload.
func (serve) Drive(ctx context.Context, pod workload.Pod, raw json.RawMessage) ([]evidence.Execution, error) {
	var list []served
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("read params: %w", err)
	}
	var all []evidence.Execution
	for _, s := range list {
		x, err := s.ask(ctx, pod)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	if len(all) == 0 {
		return nil, errors.New("read params: there is nothing to ask")
	}
	return all, nil
}

// ask starts one program, sends it beats as graders do, and ends it.
func (s served) ask(ctx context.Context, pod workload.Pod) (_ evidence.Execution, err error) {
	port, err := loopback.FreePort()
	if err != nil {
		return evidence.Execution{}, err
	}
	env := map[string]string{"PORT": port}
	maps.Copy(env, s.Env)
	s.Env = env
	proc, err := pod.Start(ctx, s.Command)
	if err != nil {
		return evidence.Execution{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, workload.Abandon(ctx, proc))
		}
	}()
	m, err := heartbeat.Start(ctx, heartbeat.Options{
		Addr: net.JoinHostPort("127.0.0.1", port), Path: "/", Start: proc.Started(), Stolen: proc.Stolen, Began: proc.Began,
	})
	if err != nil {
		return evidence.Execution{}, err
	}
	select {
	case <-proc.Done():
	case <-time.After(s.For):
	case <-ctx.Done():
	}
	hb, curve := m.Stop()
	if err := proc.Kill(); err != nil {
		return evidence.Execution{}, err
	}
	x, err := proc.Wait(ctx)
	if err != nil {
		return evidence.Execution{}, err
	}
	x.Heartbeat = &hb
	x.Series = append(x.Series, curve)
	return x, nil
}
