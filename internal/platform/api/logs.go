package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// workerView is a process that grades.
type workerView struct {
	ID        platform.ID   `json:"id"`
	Name      string        `json:"name"`
	Version   string        `json:"version"`
	Slots     int           `json:"slots"`
	Busy      int           `json:"busy" doc:"How many gradings it runs, of all organisations."`
	Gradings  []platform.ID `json:"gradings" nullable:"false" doc:"Those of this organisation."`
	Draining  bool          `json:"draining" doc:"It takes no new ones."`
	StartedAt time.Time     `json:"startedAt"`
	LastSeen  time.Time     `json:"lastSeen"`
}

func toWorker(w platform.Worker) workerView {
	return workerView{
		ID: w.ID, Name: w.Name, Version: w.Version, Slots: w.Slots, Busy: w.Busy, Gradings: append([]platform.ID{}, w.Jobs...), Draining: w.Draining,
		StartedAt: w.StartedAt, LastSeen: w.LastSeen,
	}
}

// queueView is the workers, and the organisation's gradings that wait or run.
type queueView struct {
	Workers  []workerView  `json:"workers" nullable:"false"`
	Gradings Page[grading] `json:"gradings"`
}

// auditEntry is a line of the audit log.
type auditEntry struct {
	ID        platform.ID        `json:"id"`
	At        time.Time          `json:"at"`
	ActorKind platform.ActorKind `json:"actorKind" enum:"user,token,candidate,system"`
	ActorID   platform.ID        `json:"actorId,omitempty"`
	Action    string             `json:"action"`
	Subject   platform.ID        `json:"subject,omitempty" doc:"What it was done to."`
	Detail    map[string]any     `json:"detail,omitempty" doc:"Ids and figures."`
	RequestID string             `json:"requestId,omitempty"`
}

func toAuditEntry(e platform.AuditEntry) auditEntry {
	out := auditEntry{
		ID: e.ID, At: e.At, ActorKind: e.Actor.Kind, ActorID: e.Actor.ID, Action: e.Action, Subject: e.Subject, RequestID: e.RequestID,
	}
	if e.Detail != "" && json.Unmarshal([]byte(e.Detail), &out.Detail) != nil {
		out.Detail = map[string]any{"text": e.Detail} // it was cut
	}
	return out
}

const tagLogs = "Queue and audit log"

func (a *API) logs() {
	add(a, route{
		id: "get-queue", method: http.MethodGet, path: "/queue", use: service.ReadQueue, tag: tagLogs,
		summary: "See the workers, and the gradings that wait or run",
	}, func(ctx context.Context, actor service.Actor, in *Paging) (*Plain[queueView], error) {
		out, err := a.service.Queue(ctx, actor, in.page())
		return &Plain[queueView]{Body: queueView{
			Workers: each(out.Workers, toWorker), Gradings: Page[grading]{Items: each(out.Jobs.Items, toJob), Next: out.Jobs.Next},
		}}, err
	})
	add(a, route{
		id: "list-audit", method: http.MethodGet, path: "/audit", use: service.ReadAudit, tag: tagLogs,
		summary: "Read the audit log, the newest first",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		Paging
		Subject platform.ID `query:"subject" maxLength:"64" doc:"Lines about this."`
	}) (*Plain[Page[auditEntry]], error) {
		list, err := a.service.AuditLog(ctx, actor, in.Subject, in.page())
		return paged(list, toAuditEntry), err
	})
}
