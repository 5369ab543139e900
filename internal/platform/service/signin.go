package service

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// Bounds of a password.
const (
	MinPasswordRunes = 12
	MaxPasswordBytes = 512 // hashing is slow on purpose; what is longer is no password
)

func checkPassword(password string) error {
	switch {
	case len([]rune(password)) < MinPasswordRunes:
		return platform.InvalidField("password", "A password has %d characters at least. A few words in a row are fine.", MinPasswordRunes)
	case len(password) > MaxPasswordBytes:
		return platform.InvalidField("password", "A password has %d bytes at most.", MaxPasswordBytes)
	}
	return nil
}

func tooManyTries(wait time.Duration) error {
	seconds := int(math.Ceil(wait.Seconds()))
	return platform.Errorf(platform.RateLimited, "Too many tries. Try again in %d seconds.", max(seconds, 1))
}

func wrongPassword() error {
	return platform.Errorf(platform.Unauthorised, "Address or password is wrong.")
}

// SignIn recognises a user by password. from is the address that the request comes from. Every try is counted before the
// password is looked at, so that many at once get no further than one after the other. Whether an account exists can be
// told neither from the answer nor from the time it takes.
func (s *Service) SignIn(ctx context.Context, from, email, password string) (Session, error) {
	if len(password) > MaxPasswordBytes || len(email) > 254 {
		return Session{}, wrongPassword()
	}
	if wait := s.guard.take("from "+from, freeTriesFrom); wait > 0 {
		return Session{}, tooManyTries(wait)
	}
	u, err := s.charge(ctx, email)
	if err != nil {
		return Session{}, err
	}
	ok, err := s.passwords.Matches(ctx, password, u.PasswordHash)
	if err != nil {
		return Session{}, err
	}
	if !ok || u.ID == "" || !u.DisabledAt.IsZero() {
		return Session{}, wrongPassword()
	}
	s.guard.refund("from " + from)
	return s.begin(ctx, u.ID, nil)
}

// charge counts a try against an account. The zero User is one that does not exist; it is counted all the same.
func (s *Service) charge(ctx context.Context, email string) (platform.User, error) {
	var out platform.User
	err := s.store.Tx(ctx, func(tx *store.Tx) error {
		out = platform.User{}
		u, err := tx.UserByEmail(ctx, email)
		if platform.ErrorCode(err) == platform.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		if wait := u.LockedUntil.Sub(tx.Now()); wait > 0 {
			return tooManyTries(wait)
		}
		n := u.FailedSignIns + 1
		out, err = tx.SignInFailed(ctx, u.ID, 1, delay(n, freeTries))
		if err == nil && out.FailedSignIns != n { // somebody else tries at this very moment
			return tooManyTries(time.Second)
		}
		return err
	})
	if err != nil || out.ID != "" {
		return out, err
	}
	if wait := s.guard.take("account "+platform.HashToken(platform.NormalEmail(email)), freeTries); wait > 0 {
		return out, tooManyTries(wait)
	}
	return out, nil
}

// begin begins a session of a user who is recognised. orgs are those that accept how; empty: all.
func (s *Service) begin(ctx context.Context, user platform.ID, orgs []platform.OrgID) (Session, error) {
	out := Session{UserID: user, Orgs: orgs}
	err := s.store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.SignedIn(ctx, user); err != nil {
			return err
		}
		all, err := tx.Memberships(ctx, user)
		if err != nil {
			return err
		}
		out.Begun, out.Org = tx.Now(), ""
		var fit []platform.Membership
		for _, m := range all {
			if out.accepts(m.Org) {
				fit = append(fit, m)
			}
		}
		if len(fit) == 0 {
			return platform.Errorf(platform.Forbidden, "You belong to no organisation that accepts this way of signing in. Ask its owner to add you.")
		}
		if len(fit) == 1 {
			out.Org = fit[0].Org
		}
		for _, m := range fit {
			err := tx.Audit(ctx, m.Org, platform.AuditEntry{Actor: platform.Actor{Kind: platform.ActorUser, ID: user}, Action: string(SignInUser), Subject: user})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// External is who was recognised by an OpenID provider.
type External struct {
	Issuer, Subject string
	Email           string
	EmailVerified   bool
	// Orgs are the organisations that accept the provider; empty: all.
	Orgs []platform.OrgID
}

// SignInExternal recognises a user by what an OpenID provider says. The first time, the account is found by its address,
// which the provider must have verified; from then on by issuer and subject. Nobody gets an account in this way.
func (s *Service) SignInExternal(ctx context.Context, e External) (Session, error) {
	if e.Issuer == "" || e.Subject == "" {
		return Session{}, errors.New("sign in: the provider names nobody")
	}
	var user platform.User
	err := s.store.Tx(ctx, func(tx *store.Tx) (err error) {
		user, err = tx.UserByIdentity(ctx, e.Issuer, e.Subject)
		if platform.ErrorCode(err) != platform.NotFound {
			return err
		}
		if !e.EmailVerified || e.Email == "" {
			return platform.Errorf(platform.Forbidden, "Your provider has not verified your address. Do that there first.")
		}
		user, err = tx.UserByEmail(ctx, e.Email)
		if platform.ErrorCode(err) == platform.NotFound {
			return platform.Errorf(platform.Forbidden, "There is no account for this address. Ask an owner of your organisation to add you.")
		}
		if err != nil {
			return err
		}
		return tx.LinkIdentity(ctx, platform.Identity{Issuer: e.Issuer, Subject: e.Subject, UserID: user.ID})
	})
	if err != nil {
		return Session{}, err
	}
	if !user.DisabledAt.IsZero() {
		return Session{}, platform.Errorf(platform.Forbidden, "This account is closed.")
	}
	return s.begin(ctx, user.ID, e.Orgs)
}

// ChooseOrg is the session in another organisation of the user.
func (s *Service) ChooseOrg(ctx context.Context, in Session, org platform.OrgID) (Session, error) {
	in.Org = org
	a, err := s.UserActor(ctx, in)
	if err != nil {
		return Session{}, err
	}
	if a.org != org {
		return Session{}, platform.Errorf(platform.NotFound, "There is no such organisation.")
	}
	return in, nil
}
