package service

import (
	"context"
	"net/url"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/webhook"
)

// MaxEndpoints bounds an organisation's endpoints.
const MaxEndpoints = 20

// CreateEndpoint makes an endpoint of webhooks. The secret that signs deliveries, in the form of Standard Webhooks, is
// shown once. That the address is not one of our own network is looked at when something is sent there.
func (s *Service) CreateEndpoint(ctx context.Context, a Actor, address string, events []platform.EventType) (e platform.Endpoint, secret string, err error) {
	secret = webhook.NewSecret()
	e, err = run(ctx, s, a, ManageEndpoints, func(w *work) (platform.Endpoint, error) {
		none := platform.Endpoint{}
		if err := s.checkEndpoint(address); err != nil {
			return none, err
		}
		if len(events) == 0 {
			return none, platform.InvalidField("events", "An endpoint wants one event at least.")
		}
		there, err := w.Endpoints(ctx, w.org)
		if err != nil {
			return none, err
		}
		if len(there) >= MaxEndpoints {
			return none, platform.Errorf(platform.Conflict, "There are %d endpoints already. Delete one first.", len(there))
		}
		e, err := w.CreateEndpoint(ctx, w.org, platform.Endpoint{URL: address, Events: events, SealedSecret: s.sealed(webhook.Secrets{}.Rotated(secret, w.Now()))})
		w.about(e.ID, map[string]any{"events": events})
		e.SealedSecret = nil
		return e, err
	})
	if err != nil {
		return platform.Endpoint{}, "", err
	}
	return e, secret, nil
}

func (s *Service) sealed(secrets webhook.Secrets) []byte {
	return s.sealer.Seal(secrets.Encode(), webhook.SealedFor)
}

func (s *Service) checkEndpoint(address string) error {
	u, err := url.Parse(address)
	secure := err == nil && (u.Scheme == "https" || s.plain && u.Scheme == "http")
	if !secure || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return platform.InvalidField("url", "An endpoint has an address that begins with https://, without user and fragment.")
	}
	return nil
}

// RotateEndpoint gives an endpoint a new secret, which is shown once. For webhook.Overlap deliveries are signed with the
// old one too, so that the receiver can change over.
func (s *Service) RotateEndpoint(ctx context.Context, a Actor, id platform.ID) (secret string, err error) {
	secret = webhook.NewSecret()
	err = s.do(ctx, a, ManageEndpoints, func(w *work) error {
		e, err := w.Endpoint(ctx, w.org, id)
		if err != nil {
			return err
		}
		opened, err := s.sealer.Open(e.SealedSecret, webhook.SealedFor)
		if err != nil {
			return err
		}
		secrets, err := webhook.DecodeSecrets(opened)
		if err != nil {
			return err
		}
		w.about(id, map[string]bool{"rotated": true})
		return w.SealEndpoint(ctx, w.org, id, s.sealed(secrets.Rotated(secret, w.Now())))
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// Endpoints are the organisation's endpoints, the newest first, without their secrets.
func (s *Service) Endpoints(ctx context.Context, a Actor) ([]platform.Endpoint, error) {
	return run(ctx, s, a, ListEndpoints, func(w *work) ([]platform.Endpoint, error) {
		all, err := w.Endpoints(ctx, w.org)
		for i := range all {
			all[i].SealedSecret = nil
		}
		return all, err
	})
}

// EnableEndpoint lets an endpoint be told of events, or no longer.
func (s *Service) EnableEndpoint(ctx context.Context, a Actor, id platform.ID, enabled bool) error {
	return s.do(ctx, a, ManageEndpoints, func(w *work) error {
		w.about(id, map[string]bool{"enabled": enabled})
		return w.EnableEndpoint(ctx, w.org, id, enabled)
	})
}

// DeleteEndpoint removes an endpoint and its deliveries.
func (s *Service) DeleteEndpoint(ctx context.Context, a Actor, id platform.ID) error {
	return s.do(ctx, a, ManageEndpoints, func(w *work) error {
		w.about(id, map[string]bool{"deleted": true})
		return w.DeleteEndpoint(ctx, w.org, id)
	})
}

// Deliveries lists what was sent to an endpoint, the newest first.
func (s *Service) Deliveries(ctx context.Context, a Actor, endpoint platform.ID, ask platform.Page) (platform.List[platform.Delivery], error) {
	return run(ctx, s, a, ListEndpoints, func(w *work) (platform.List[platform.Delivery], error) {
		return w.Deliveries(ctx, w.org, endpoint, ask)
	})
}

// Replay sends an event to an endpoint once more.
func (s *Service) Replay(ctx context.Context, a Actor, delivery platform.ID) (platform.Delivery, error) {
	return run(ctx, s, a, ManageEndpoints, func(w *work) (platform.Delivery, error) {
		w.about(delivery, nil)
		return w.Replay(ctx, w.org, delivery)
	})
}
