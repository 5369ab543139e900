package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// Opener opens what the service has sealed.
type Opener interface {
	Open(sealed []byte, purpose string) ([]byte, error)
}

// Options say what a sender works with. Store, Opener and Log are needed.
type Options struct {
	Store  *store.Store
	Opener Opener
	Log    *slog.Logger
	// Allowed are networks of our own that endpoints may be in. Empty: none.
	Allowed []netip.Prefix
	// Plain lets deliveries go to addresses that begin with http://.
	Plain bool
	// TLS says whom to trust; nil: whom the system trusts.
	TLS   *tls.Config
	Every time.Duration // between two looks for what is due; 2 s unless set
	// Random is from 0 to below 1, for the spread of retries. It is used by several goroutines.
	Random func() float64
}

const (
	lookEvery = 2 * time.Second
	// takeLease is how long a delivery that was taken is left alone by other senders; longer than a try lasts.
	takeLease = 2 * time.Minute
	takeBatch = 20 // that are under way at a time
	keepTime  = 10 * time.Second
)

// waits are those after each try that failed; after the last of them it is given up, about three days after the event.
func waits() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// spread is by how much a wait is made longer at most, so that what failed together is not tried again together.
const spread = 0.2

// next is when a delivery is tried again after its n-th try, n from 1; zero: never.
func next(now time.Time, n int, random float64) time.Time {
	all := waits()
	if n > len(all) {
		return time.Time{}
	}
	wait := all[max(n, 1)-1]
	return now.Add(wait + time.Duration(random*spread*float64(wait)))
}

// Sender sends deliveries.
type Sender struct {
	opts   Options
	client *http.Client
}

// NewSender makes a sender.
func NewSender(o Options) (*Sender, error) {
	if o.Store == nil || o.Opener == nil || o.Log == nil {
		return nil, errors.New("make sender of webhooks: it needs store, opener and log")
	}
	if o.Every <= 0 {
		o.Every = lookEvery
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		trust = o.TLS.Clone()
		trust.MinVersion = max(trust.MinVersion, tls.VersionTLS12)
	}
	return &Sender{opts: o, client: newClient(o.Allowed, trust, nil)}, nil
}

// Run sends until ctx is done, and returns when what was under way has ended. What fails is logged and tried again.
func (s *Sender) Run(ctx context.Context) error {
	tick := time.NewTicker(s.opts.Every)
	defer tick.Stop()
	for {
		n, err := s.Deliver(ctx)
		if err != nil && ctx.Err() == nil {
			s.opts.Log.ErrorContext(ctx, "webhooks could not be sent", "error", err)
		}
		if n == takeBatch && err == nil && ctx.Err() == nil {
			continue // there is more
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Deliver sends what is due, some at a time, and tells how many deliveries it has taken. One that fails stops no other.
func (s *Sender) Deliver(ctx context.Context) (taken int, err error) {
	var due []platform.Delivery
	err = s.opts.Store.Tx(ctx, func(tx *store.Tx) (err error) {
		due, err = tx.SystemDeliveriesDue(ctx, takeLease, takeBatch)
		return err
	})
	if err != nil {
		return 0, err
	}
	failed := make([]error, len(due))
	var all sync.WaitGroup
	for i, d := range due {
		all.Go(func() {
			if err := s.deliver(ctx, d); err != nil {
				failed[i] = fmt.Errorf("delivery %s: %w", d.ID, err)
			}
		})
	}
	all.Wait()
	return len(due), errors.Join(failed...)
}

// deliver makes one try and keeps what came of it. An event may arrive twice, when an answer is lost; the receiver knows it
// by its id.
func (s *Sender) deliver(ctx context.Context, d platform.Delivery) error {
	var e platform.Endpoint
	var now time.Time
	err := s.opts.Store.View(ctx, func(tx *store.Tx) (err error) {
		now = tx.Now()
		e, err = tx.Endpoint(ctx, d.Org, d.EndpointID)
		return err
	})
	if platform.ErrorCode(err) == platform.NotFound {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	got := s.try(ctx, e, d, now)
	if ctx.Err() != nil && !got.taken() {
		return nil // we stop: the lease gives it to the next
	}
	// The server may be about to end; what came of the try is kept all the same.
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	return s.opts.Store.Tx(keep, func(tx *store.Tx) error {
		err := s.keep(keep, tx, d, got)
		if platform.ErrorCode(err) == platform.NotFound {
			return nil // erased meanwhile, with the candidate it was about
		}
		return err
	})
}

// disabled is what the audit log calls it.
const disabled = "endpoint.disable"

// keep writes what came of a try. An endpoint that says that it is gone, or that has taken nothing since the event that is
// given up now, is told nothing more until somebody enables it.
func (s *Sender) keep(ctx context.Context, tx *store.Tx, d platform.Delivery, got answer) error {
	if got.taken() {
		return tx.DeliveryDone(ctx, d.Org, d.ID, got.status)
	}
	again := next(tx.Now(), d.Tries, s.opts.Random())
	if got.status == http.StatusGone {
		again = time.Time{}
	}
	if err := tx.DeliveryFailed(ctx, d.Org, d.ID, got.status, got.why, again); err != nil {
		return err
	}
	if !again.IsZero() {
		return nil
	}
	if got.status != http.StatusGone {
		alive, err := tx.DeliveredSince(ctx, d.Org, d.EndpointID, d.CreatedAt)
		if err != nil || alive {
			return err
		}
	}
	s.opts.Log.WarnContext(ctx, "an endpoint of webhooks was disabled", "endpoint", string(d.EndpointID), "status", got.status)
	if err := tx.EnableEndpoint(ctx, d.Org, d.EndpointID, false); err != nil {
		return err
	}
	return tx.Audit(ctx, d.Org, platform.AuditEntry{Actor: platform.Actor{Kind: platform.ActorSystem}, Action: disabled, Subject: d.EndpointID})
}
