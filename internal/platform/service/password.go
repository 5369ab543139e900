package service

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// How long a link that sets a password works.
const (
	welcomeLink = 7 * 24 * time.Hour
	resetLink   = time.Hour
)

// passwordLink begins a token that sets a password.
const passwordLink = "assay_pwd_" // #nosec G101 -- what tokens begin with

// linkToken makes a token that sets a user's password until a time. Nothing of it is stored: it is authenticated over what
// changes when the password does, so it works once.
func (s *Service) linkToken(u platform.User, until time.Time) string {
	what := string(u.ID) + "." + strconv.FormatInt(until.UnixMilli(), 10)
	return passwordLink + what + "." + s.linkMAC(u, what)
}

func (s *Service) linkMAC(u platform.User, what string) string {
	mac := hmac.New(sha256.New, s.resetKey)
	fmt.Fprintf(mac, "%q %q %d %d", what, u.PasswordHash, u.SessionsFrom.UnixMilli(), u.DisabledAt.UnixMilli())
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// linkUser is the user whose password a token sets.
func (s *Service) linkUser(ctx context.Context, tx *store.Tx, token string) (platform.User, error) {
	dead := platform.Errorf(platform.Gone, "This link has been used or has expired. Ask for a new one.")
	text, ok := strings.CutPrefix(token, passwordLink)
	parts := strings.Split(text, ".")
	if !ok || len(token) > 200 || len(parts) != 3 {
		return platform.User{}, dead
	}
	until, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || tx.Now().UnixMilli() >= until {
		return platform.User{}, dead
	}
	u, err := tx.User(ctx, platform.ID(parts[0]))
	if platform.ErrorCode(err) == platform.NotFound {
		return platform.User{}, dead
	}
	if err != nil {
		return platform.User{}, err
	}
	if !hmac.Equal([]byte(parts[2]), []byte(s.linkMAC(u, parts[0]+"."+parts[1]))) || !u.DisabledAt.IsZero() {
		return platform.User{}, dead
	}
	return u, nil
}

// AskReset mails a link that sets a new password to whoever has an account with this address. The answer is the same for
// all addresses. from is the address that the request comes from.
func (s *Service) AskReset(ctx context.Context, from, email string) error {
	if wait := s.guard.take("reset from "+from, freeTries); wait > 0 {
		return tooManyTries(wait)
	}
	if wait := s.guard.take("reset "+platform.HashToken(platform.NormalEmail(email)), 2); wait > 0 {
		return nil // somebody floods a mailbox
	}
	return s.store.Tx(ctx, func(tx *store.Tx) error {
		u, err := tx.UserByEmail(ctx, email)
		if platform.ErrorCode(err) == platform.NotFound || err == nil && !u.DisabledAt.IsZero() {
			return nil
		}
		if err != nil {
			return err
		}
		in, err := tx.Memberships(ctx, u.ID)
		if err != nil || len(in) == 0 {
			return err
		}
		return s.mailLink(ctx, tx, in[0].Org, u, resetLink)
	})
}

func (s *Service) mailLink(ctx context.Context, tx *store.Tx, org platform.OrgID, u platform.User, lasts time.Duration) error {
	token := s.linkToken(u, tx.Now().Add(lasts))
	_, err := tx.QueueMail(ctx, org, platform.Mail{Template: MailSetPassword, UserID: u.ID, Sealed: s.sealer.Seal([]byte(token), MailSetPassword)})
	return err
}

// SetPassword sets the password of whoever has a link for it, and ends all sessions.
func (s *Service) SetPassword(ctx context.Context, token, password string) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	// Before the slow hash, so that it is not made for anybody.
	if err := s.store.View(ctx, func(tx *store.Tx) error {
		_, err := s.linkUser(ctx, tx, token)
		return err
	}); err != nil {
		return err
	}
	hash, err := s.passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	return s.store.Tx(ctx, func(tx *store.Tx) error {
		u, err := s.linkUser(ctx, tx, token)
		if err != nil {
			return err
		}
		return setPassword(ctx, tx, u.ID, hash, ResetPassword)
	})
}

// setPassword changes a password and says so in the log of every organisation of the user.
func setPassword(ctx context.Context, tx *store.Tx, user platform.ID, hash string, u UseCase) error {
	if err := tx.SetPassword(ctx, user, hash); err != nil {
		return err
	}
	in, err := tx.Memberships(ctx, user)
	if err != nil {
		return err
	}
	for _, m := range in {
		err := tx.Audit(ctx, m.Org, platform.AuditEntry{Actor: platform.Actor{Kind: platform.ActorUser, ID: user}, Action: string(u), Subject: user})
		if err != nil {
			return err
		}
	}
	return nil
}

// ChangePassword changes the own password and ends all sessions; whoever calls begins a new one. from is the address that
// the request comes from: a wrong current password is counted as SignIn counts it.
func (s *Service) ChangePassword(ctx context.Context, a Actor, from, current, next string) (Session, error) {
	if _, err := s.authorise(a, ChangePassword); err != nil {
		return Session{}, err
	}
	if err := checkPassword(next); err != nil {
		return Session{}, err
	}
	var u platform.User
	err := s.store.View(ctx, func(tx *store.Tx) (err error) {
		u, err = tx.User(ctx, a.user)
		return err
	})
	if err != nil {
		return Session{}, err
	}
	if _, err := s.SignIn(ctx, from, u.Email, current); err != nil {
		return Session{}, err
	}
	hash, err := s.passwords.Hash(ctx, next)
	if err != nil {
		return Session{}, err
	}
	if err := s.store.Tx(ctx, func(tx *store.Tx) error { return setPassword(ctx, tx, a.user, hash, ChangePassword) }); err != nil {
		return Session{}, err
	}
	return s.SignIn(ctx, from, u.Email, next)
}

// EndSessions ends all sessions of the user, this one included.
func (s *Service) EndSessions(ctx context.Context, a Actor) error {
	return s.do(ctx, a, EndSessions, func(w *work) error {
		w.about(a.user, nil)
		return w.EndSessions(ctx, a.user)
	})
}
