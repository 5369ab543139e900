package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// Sender delivers a mail. An error with ErrPermanent is not tried again. It is used by one goroutine at a time.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Opener opens what the service has sealed.
type Opener interface {
	Open(sealed []byte, purpose string) ([]byte, error)
}

// Options say what a courier works with; all are needed but Every and Now.
type Options struct {
	Store     *store.Store
	Opener    Opener
	Templates *Templates
	Sender    Sender
	From      Address
	Log       *slog.Logger
	Every     time.Duration // between two looks into the outbox; 5 s unless set
	Now       func() time.Time
}

// Courier delivers what is in the outbox.
type Courier struct{ opts Options }

const (
	lookEvery = 5 * time.Second
	// takeLease is how long a mail that was taken is left alone by other couriers.
	takeLease = 5 * time.Minute
	takeBatch = 20
	maxTries  = 8 // over about 30 hours
)

// NewCourier makes a courier.
func NewCourier(o Options) (*Courier, error) {
	if o.Store == nil || o.Opener == nil || o.Templates == nil || o.Sender == nil || o.Log == nil || o.From.Email == "" {
		return nil, errors.New("make courier: it needs store, opener, templates, sender, log and an address to send from")
	}
	if o.Every <= 0 {
		o.Every = lookEvery
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Courier{opts: o}, nil
}

// Run delivers until ctx is done. What fails is logged and tried again.
func (c *Courier) Run(ctx context.Context) error {
	tick := time.NewTicker(c.opts.Every)
	defer tick.Stop()
	for {
		n, err := c.Deliver(ctx)
		if err != nil && ctx.Err() == nil {
			c.opts.Log.ErrorContext(ctx, "mails could not be delivered", "error", err)
		}
		if n == takeBatch && err == nil {
			continue // there is more
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Deliver sends what is due, some at most, and tells how many mails it has taken. A mail that fails stops no other.
func (c *Courier) Deliver(ctx context.Context) (taken int, err error) {
	var mails []platform.Mail
	err = c.opts.Store.Tx(ctx, func(tx *store.Tx) (err error) {
		mails, err = tx.SystemMailsDue(ctx, takeLease, takeBatch)
		return err
	})
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, m := range mails {
		if ctx.Err() != nil {
			break // the lease gives them to the next
		}
		if err := c.deliver(ctx, m); err != nil {
			failed = append(failed, fmt.Errorf("mail %s: %w", m.ID, err))
		}
	}
	return len(mails), errors.Join(failed...)
}

// deliver sends one mail and keeps what came of it. It may be sent twice, when the answer of the server or of the database
// is lost; the receiver knows it by its id.
func (c *Courier) deliver(ctx context.Context, m platform.Mail) error {
	message, err := c.write(ctx, m)
	if err == nil {
		err = c.opts.Sender.Send(ctx, message)
	}
	if err != nil && ctx.Err() != nil {
		return err
	}
	return c.opts.Store.Tx(ctx, func(tx *store.Tx) error {
		var kept error
		switch {
		case err == nil:
			kept = tx.MailDone(ctx, m.Org, m.ID)
		case errors.Is(err, ErrPermanent) || m.Tries >= maxTries:
			kept = tx.MailFailed(ctx, m.Org, m.ID, err.Error(), time.Time{})
			c.opts.Log.WarnContext(ctx, "a mail was given up", "mail", string(m.ID), "tries", m.Tries, "error", err)
		default:
			kept = tx.MailFailed(ctx, m.Org, m.ID, err.Error(), tx.Now().Add(backoff(m.Tries)))
		}
		if platform.ErrorCode(kept) == platform.NotFound {
			return nil // erased meanwhile, with whom it was for
		}
		return kept
	})
}

// backoff is how long a mail waits after its n-th try, n from 1: a minute, four times as long each time, 12 h at most.
func backoff(n int) time.Duration {
	const first, most = time.Minute, 12 * time.Hour
	wait := first
	for range n - 1 {
		if wait *= 4; wait >= most {
			return most
		}
	}
	return wait
}

// write finds out whom a mail is for and what it says, as it is now.
func (c *Courier) write(ctx context.Context, m platform.Mail) (Message, error) {
	token, err := c.opts.Opener.Open(m.Sealed, m.Template)
	if err != nil {
		return Message{}, errors.Join(ErrPermanent, err)
	}
	words := Words{Link: c.opts.Templates.Link(m.Template, string(token))}
	to := Address{}
	err = c.opts.Store.View(ctx, func(tx *store.Tx) error {
		org, err := tx.Organization(ctx, m.Org)
		if err != nil {
			return err
		}
		words.Organization = org.Name
		if m.UserID != "" {
			u, err := tx.Member(ctx, m.Org, m.UserID)
			to = Address{Name: u.User.Name, Email: u.User.Email}
			return err
		}
		cand, err := tx.Candidate(ctx, m.Org, m.CandidateID)
		to = Address{Name: cand.Name, Email: cand.Email}
		if err != nil || m.InvitationID == "" {
			return err
		}
		return invitationWords(ctx, tx, m, &words)
	})
	switch code := platform.ErrorCode(err); {
	case code == platform.NotFound || code == platform.Gone:
		return Message{}, errors.Join(ErrPermanent, err)
	case err != nil:
		return Message{}, err
	case to.Email == "":
		return Message{}, errors.Join(ErrPermanent, errors.New("there is no address any more"))
	}
	words.Name = to.Name
	out := Message{ID: string(m.ID), From: c.opts.From, To: to, Date: c.opts.Now()}
	out.Subject, out.Body, err = c.opts.Templates.Write(m.Template, words)
	return out, err
}

func invitationWords(ctx context.Context, tx *store.Tx, m platform.Mail, words *Words) error {
	i, err := tx.Invitation(ctx, m.Org, m.InvitationID)
	if err != nil {
		return err
	}
	if err := i.Usable(tx.Now()); err != nil {
		return err
	}
	a, err := tx.Assessment(ctx, m.Org, i.AssessmentID)
	if err != nil {
		return err
	}
	words.Assessment, words.Role, words.Message, words.Contact = a.Settings.Name, a.Settings.RoleTitle, a.Settings.Message, a.Settings.Contact
	words.Expires = i.ExpiresAt.Format("2 January 2006, 15:04 MST")
	if limit := a.Settings.TimeLimit; limit > 0 {
		words.TimeLimit = spoken(limit + limit*time.Duration(i.ExtraPercent)/100)
	}
	return nil
}

// spoken is a time limit in hours and minutes.
func spoken(d time.Duration) string {
	hours, minutes := int(d.Hours()), int(d.Minutes())%60
	switch {
	case hours == 0:
		return fmt.Sprintf("%d min", minutes)
	case minutes == 0:
		return fmt.Sprintf("%d h", hours)
	default:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	}
}
