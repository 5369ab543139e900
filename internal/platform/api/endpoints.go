package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// endpoint is where the organisation wants to be told of events.
type endpoint struct {
	ID         platform.ID          `json:"id"`
	URL        string               `json:"url"`
	Events     []platform.EventType `json:"events" nullable:"false"`
	CreatedAt  time.Time            `json:"createdAt"`
	DisabledAt *time.Time           `json:"disabledAt,omitempty" doc:"It is told nothing since then."`
}

func toEndpoint(e platform.Endpoint) endpoint {
	return endpoint{ID: e.ID, URL: e.URL, Events: append([]platform.EventType{}, e.Events...), CreatedAt: e.CreatedAt, DisabledAt: at(e.DisabledAt)}
}

// newEndpoint is an endpoint with its secret.
type newEndpoint struct {
	Endpoint endpoint `json:"endpoint"`
	Secret   string   `json:"secret" doc:"Signs deliveries; shown once."`
}

// rotated is the new secret of an endpoint.
type rotated struct {
	Secret string `json:"secret" doc:"Signs deliveries; shown once. For 24 hours the one before does too."`
}

// delivery is one event on its way to one endpoint.
type delivery struct {
	ID         platform.ID        `json:"id"`
	EndpointID platform.ID        `json:"endpointId"`
	EventID    platform.ID        `json:"eventId" doc:"The header webhook-id: the same for every try and replay."`
	Type       platform.EventType `json:"type"`
	Data       map[string]any     `json:"data" doc:"Ids and figures, no name and no address."`
	State      platform.SendState `json:"state" enum:"pending,done,failed"`
	Tries      int                `json:"tries"`
	NextAt     *time.Time         `json:"nextAt,omitempty" doc:"When it is sent, or tried again."`
	LastStatus int                `json:"lastStatus,omitempty" doc:"HTTP status of the newest try; missing without an answer."`
	LastError  string             `json:"lastError,omitempty" doc:"Why the newest try failed, with the beginning of what was answered."`
	CreatedAt  time.Time          `json:"createdAt"`
	DoneAt     *time.Time         `json:"doneAt,omitempty" doc:"When it was taken, or given up."`
}

func toDelivery(d platform.Delivery) delivery {
	out := delivery{
		ID: d.ID, EndpointID: d.EndpointID, EventID: d.EventID, Type: d.Type, Data: map[string]any{}, State: d.State, Tries: d.Tries,
		LastStatus: d.LastStatus, LastError: d.LastError, CreatedAt: d.CreatedAt, DoneAt: at(d.DoneAt),
	}
	if d.State == platform.SendPending {
		out.NextAt = at(d.NextAt)
	}
	_ = json.Unmarshal(d.Payload, &out.Data) // what the service has written is an object
	return out
}

const tagWebhooks = "Webhooks"

func (a *API) endpoints() {
	add(a, route{
		id: "list-endpoints", method: http.MethodGet, path: "/webhook-endpoints", use: service.ListEndpoints, tag: tagWebhooks, summary: "List endpoints, the newest first",
	}, func(ctx context.Context, actor service.Actor, _ *Nothing) (*Plain[Page[endpoint]], error) {
		all, err := a.service.Endpoints(ctx, actor)
		return &Plain[Page[endpoint]]{Body: Page[endpoint]{Items: each(all, toEndpoint)}}, err
	})
	add(a, route{
		id: "create-endpoint", method: http.MethodPost, path: "/webhook-endpoints", use: service.ManageEndpoints, tag: tagWebhooks, status: http.StatusCreated,
		summary: "Create an endpoint", detail: "Its secret is shown once.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		Keyed
		Body struct {
			URL    string               `json:"url" doc:"It begins with https://."`
			Events []platform.EventType `json:"events" nullable:"false" enum:"invitation.created,attempt.started,submission.created,attempt.graded,attempt.decided"`
		}
	}) (*Answered[newEndpoint], error) {
		return once(ctx, a, "create-endpoint", in.Keyed, in, func(ctx context.Context) (newEndpoint, error) {
			out, secret, err := a.service.CreateEndpoint(ctx, actor, in.Body.URL, in.Body.Events)
			return newEndpoint{Endpoint: toEndpoint(out), Secret: secret}, err
		})
	})
	add(a, route{
		id: "enable-endpoint", method: http.MethodPut, path: "/webhook-endpoints/{id}/enabled", use: service.ManageEndpoints, tag: tagWebhooks,
		summary: "Let an endpoint be told of events, or no longer", detail: "What was due meanwhile is sent when it is enabled.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Body struct {
			Enabled bool `json:"enabled"`
		}
	}) (*Nothing, error) {
		return &Nothing{}, a.service.EnableEndpoint(ctx, actor, in.ID, in.Body.Enabled)
	})
	add(a, route{
		id: "delete-endpoint", method: http.MethodDelete, path: "/webhook-endpoints/{id}", use: service.ManageEndpoints, tag: tagWebhooks,
		summary: "Delete an endpoint and its deliveries",
	}, func(ctx context.Context, actor service.Actor, in *ByID) (*Nothing, error) {
		return &Nothing{}, a.service.DeleteEndpoint(ctx, actor, in.ID)
	})
	a.deliveries()
}

func (a *API) deliveries() {
	type onlyID struct {
		ByID
		Keyed
	}
	add(a, route{
		id: "rotate-secret", method: http.MethodPost, path: "/webhook-endpoints/{id}/rotate-secret", use: service.ManageEndpoints, tag: tagWebhooks,
		summary: "Give an endpoint a new secret", detail: "For 24 hours deliveries are signed with the one before, too.",
	}, func(ctx context.Context, actor service.Actor, in *onlyID) (*Answered[rotated], error) {
		return once(ctx, a, "rotate-secret", in.Keyed, in, func(ctx context.Context) (rotated, error) {
			secret, err := a.service.RotateEndpoint(ctx, actor, in.ID)
			return rotated{Secret: secret}, err
		})
	})
	add(a, route{
		id: "list-deliveries", method: http.MethodGet, path: "/webhook-endpoints/{id}/deliveries", use: service.ListEndpoints, tag: tagWebhooks,
		summary: "List what was sent to an endpoint, the newest first",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Paging
	}) (*Plain[Page[delivery]], error) {
		list, err := a.service.Deliveries(ctx, actor, in.ID, in.page())
		return paged(list, toDelivery), err
	})
	add(a, route{
		id: "replay-delivery", method: http.MethodPost, path: "/webhook-deliveries/{id}/replay", use: service.ManageEndpoints, tag: tagWebhooks,
		summary: "Send an event to an endpoint once more", status: http.StatusCreated,
	}, func(ctx context.Context, actor service.Actor, in *onlyID) (*Answered[delivery], error) {
		return once(ctx, a, "replay-delivery", in.Keyed, in, func(ctx context.Context) (delivery, error) {
			out, err := a.service.Replay(ctx, actor, in.ID)
			return toDelivery(out), err
		})
	})
}
