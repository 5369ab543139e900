package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

const endpointColumns = `e.org_id, e.id, e.url, e.events, e.sealed_secret, e.created_at, e.disabled_at`

func endpointFields(e *platform.Endpoint, events *string) []any {
	return []any{&e.Org, &e.ID, &e.URL, events, &e.SealedSecret, instant{&e.CreatedAt}, instant{&e.DisabledAt}}
}

func scanEndpoint(r row) (platform.Endpoint, error) {
	e, events := platform.Endpoint{}, ""
	err := r.Scan(endpointFields(&e, &events)...)
	e.Events = split[platform.EventType](events)
	return e, err
}

// maxURL bounds the address of an endpoint, in bytes.
const maxURL = 2000

// CreateEndpoint makes an endpoint. Of e, address, events and sealed secret are taken; whoever calls has checked the address.
func (tx *Tx) CreateEndpoint(ctx context.Context, org platform.OrgID, e platform.Endpoint) (platform.Endpoint, error) {
	if e.URL == "" || len(e.URL) > maxURL || e.URL != clean(e.URL) {
		return platform.Endpoint{}, platform.InvalidField("url", "An endpoint has an address of %d bytes at most.", maxURL)
	}
	for _, t := range e.Events {
		if !slices.Contains(platform.EventTypes(), t) {
			return platform.Endpoint{}, platform.InvalidField("events", "There is no event %q.", t)
		}
	}
	e.Org, e.ID, e.CreatedAt = org, platform.NewID(platform.KindEndpoint, tx.now), tx.now
	_, err := tx.exec(ctx, `INSERT INTO webhook_endpoints (org_id, id, url, events, sealed_secret, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		org, e.ID, e.URL, joined(e.Events), notNil(e.SealedSecret), ms(e.CreatedAt))
	return e, failed("create endpoint", err)
}

// Endpoints are an organisation's endpoints, the newest first.
func (tx *Tx) Endpoints(ctx context.Context, org platform.OrgID) ([]platform.Endpoint, error) {
	out, err := all(ctx, tx, scanEndpoint, `SELECT `+endpointColumns+` FROM webhook_endpoints e WHERE e.org_id = $1 ORDER BY e.created_at DESC, e.id DESC`, org)
	return out, failed("list endpoints", err)
}

// Endpoint reads an endpoint.
func (tx *Tx) Endpoint(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Endpoint, error) {
	e, err := scanEndpoint(tx.sql.QueryRowContext(ctx, `SELECT `+endpointColumns+` FROM webhook_endpoints e WHERE e.org_id = $1 AND e.id = $2`, org, id))
	if err != nil {
		return platform.Endpoint{}, found(err, "endpoint")
	}
	return e, nil
}

// EnableEndpoint lets an endpoint be told of events, or no longer.
func (tx *Tx) EnableEndpoint(ctx context.Context, org platform.OrgID, id platform.ID, enabled bool) error {
	at := tx.now
	if enabled {
		at = time.Time{}
	}
	n, err := tx.exec(ctx, `UPDATE webhook_endpoints SET disabled_at = $3 WHERE org_id = $1 AND id = $2`, org, id, orNull(at))
	return changedOne(n, err, "endpoint")
}

// SealEndpoint replaces what signs the deliveries of an endpoint.
func (tx *Tx) SealEndpoint(ctx context.Context, org platform.OrgID, id platform.ID, sealed []byte) error {
	n, err := tx.exec(ctx, `UPDATE webhook_endpoints SET sealed_secret = $3 WHERE org_id = $1 AND id = $2`, org, id, notNil(sealed))
	return changedOne(n, err, "endpoint")
}

// DeliveredSince says whether an endpoint has taken a delivery since a time.
func (tx *Tx) DeliveredSince(ctx context.Context, org platform.OrgID, endpoint platform.ID, since time.Time) (bool, error) {
	n := 0
	err := tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM webhook_deliveries WHERE org_id = $1 AND endpoint_id = $2 AND state = 'done' AND done_at >= $3`,
		org, endpoint, ms(since)).Scan(&n)
	return n > 0, failed("count deliveries", err)
}

// DeleteEndpoint removes an endpoint and its deliveries.
func (tx *Tx) DeleteEndpoint(ctx context.Context, org platform.OrgID, id platform.ID) error {
	n, err := tx.exec(ctx, `DELETE FROM webhook_endpoints WHERE org_id = $1 AND id = $2`, org, id)
	return changedOne(n, err, "endpoint")
}

// Emit tells an organisation's endpoints of an event, in the transaction in which it happens. The payload holds ids and
// figures, no name and no address. candidate is whom it is about; the deliveries go when that candidate is erased.
func (tx *Tx) Emit(ctx context.Context, org platform.OrgID, t platform.EventType, candidate platform.ID, payload json.RawMessage) error {
	endpoints, err := tx.Endpoints(ctx, org)
	if err != nil {
		return err
	}
	event := platform.NewID(platform.KindEvent, tx.now)
	for _, e := range endpoints {
		if !e.DisabledAt.IsZero() || !slices.Contains(e.Events, t) {
			continue
		}
		d := platform.Delivery{Org: org, EndpointID: e.ID, EventID: event, Type: t, Payload: payload, CandidateID: candidate}
		if _, err := tx.insertDelivery(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) insertDelivery(ctx context.Context, d platform.Delivery) (platform.ID, error) {
	id := platform.NewID(platform.KindDelivery, tx.now)
	_, err := tx.exec(ctx, `INSERT INTO webhook_deliveries (org_id, id, endpoint_id, event_id, type, payload, candidate_id, state, next_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		d.Org, id, d.EndpointID, d.EventID, d.Type, string(d.Payload), optional(d.CandidateID), platform.SendPending, ms(tx.now), ms(tx.now))
	if broken(err) == foreignConstraint {
		return "", platform.Errorf(platform.NotFound, "There is no such candidate.")
	}
	return id, failed("write delivery", err)
}

// deliveryColumns have no name of their table before them: SQLite knows none after RETURNING.
const deliveryColumns = `org_id, id, endpoint_id, event_id, type, payload, candidate_id, state, tries, next_at, last_status, last_error,
	created_at, done_at`

func scanDelivery(r row) (platform.Delivery, error) {
	d, payload := platform.Delivery{}, ""
	err := r.Scan(&d.Org, &d.ID, &d.EndpointID, &d.EventID, &d.Type, &payload, optionalID{&d.CandidateID}, &d.State, &d.Tries, instant{&d.NextAt},
		&d.LastStatus, &d.LastError, instant{&d.CreatedAt}, instant{&d.DoneAt})
	d.Payload = json.RawMessage(payload)
	return d, err
}

// Deliveries lists what was sent to an endpoint, the newest first.
func (tx *Tx) Deliveries(ctx context.Context, org platform.OrgID, endpoint platform.ID, ask platform.Page) (platform.List[platform.Delivery], error) {
	p := &params{values: []any{org, endpoint}}
	where, tail, err := p.older(ask, "created_at", "id")
	if err != nil {
		return platform.List[platform.Delivery]{}, err
	}
	items, err := all(ctx, tx, scanDelivery, `SELECT `+deliveryColumns+` FROM webhook_deliveries WHERE org_id = $1 AND endpoint_id = $2`+where+tail, p.values...)
	return page(items, ask, func(d platform.Delivery) platform.Mark { return platform.Mark{At: d.CreatedAt, ID: d.ID} }), failed("list deliveries", err)
}

// Replay sends an event to an endpoint once more, as a new delivery of the same event.
func (tx *Tx) Replay(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Delivery, error) {
	d, err := tx.delivery(ctx, org, id)
	if err != nil {
		return platform.Delivery{}, err
	}
	again, err := tx.insertDelivery(ctx, d)
	if err != nil {
		return platform.Delivery{}, err
	}
	return tx.delivery(ctx, org, again)
}

func (tx *Tx) delivery(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Delivery, error) {
	d, err := scanDelivery(tx.sql.QueryRowContext(ctx, `SELECT `+deliveryColumns+` FROM webhook_deliveries WHERE org_id = $1 AND id = $2`, org, id))
	if err != nil {
		return platform.Delivery{}, found(err, "delivery")
	}
	return d, nil
}

// SystemDeliveriesDue takes deliveries that are due, of endpoints that are enabled. Taking one counts a try and puts its
// next one off by lease, so that two senders do not send it at once, and one that dies leaves it to the others.
func (tx *Tx) SystemDeliveriesDue(ctx context.Context, lease time.Duration, limit int) ([]platform.Delivery, error) {
	out, err := all(ctx, tx, scanDelivery, `UPDATE webhook_deliveries SET tries = tries + 1, next_at = $2 WHERE state = 'pending' AND next_at <= $1
		AND (org_id, id) IN (SELECT x.org_id, x.id FROM webhook_deliveries x JOIN webhook_endpoints e ON e.org_id = x.org_id AND e.id = x.endpoint_id
			WHERE x.state = 'pending' AND x.next_at <= $1 AND e.disabled_at IS NULL ORDER BY x.next_at, x.id LIMIT $3)
		RETURNING `+deliveryColumns, ms(tx.now), ms(tx.now.Add(lease)), int64(limit))
	return out, failed("take deliveries", err)
}

// DeliveryDone keeps that an endpoint has taken a delivery.
func (tx *Tx) DeliveryDone(ctx context.Context, org platform.OrgID, id platform.ID, status int) error {
	n, err := tx.exec(ctx, `UPDATE webhook_deliveries SET state = 'done', last_status = $3, last_error = '', done_at = $4
		WHERE org_id = $1 AND id = $2 AND state = 'pending'`, org, id, status, ms(tx.now))
	return changedOne(n, err, "delivery")
}

// DeliveryFailed keeps a try that failed; status is 0 without an answer. next is when it is tried again, zero: never.
func (tx *Tx) DeliveryFailed(ctx context.Context, org platform.OrgID, id platform.ID, status int, why string, next time.Time) error {
	state, due, done := platform.SendPending, next, time.Time{}
	if next.IsZero() {
		state, due, done = platform.SendFailed, tx.now, tx.now
	}
	n, err := tx.exec(ctx, `UPDATE webhook_deliveries SET state = $3, last_status = $4, last_error = $5, next_at = $6, done_at = $7
		WHERE org_id = $1 AND id = $2 AND state = 'pending'`, org, id, state, status, bounded(why), ms(due), orNull(done))
	return changedOne(n, err, "delivery")
}
