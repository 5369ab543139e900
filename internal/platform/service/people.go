package service

import (
	"context"
	"crypto/subtle"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// FirstOwner is who sets the installation up.
type FirstOwner struct {
	Organization string
	Name         string
	Email        string
	Password     string
	// Token is the one that the server has written to its own console, where it asks for one.
	Token string
}

// IsSetUp says whether the first owner exists.
func (s *Service) IsSetUp(ctx context.Context) (bool, error) {
	done := false
	err := s.store.View(ctx, func(tx *store.Tx) (err error) {
		done, err = tx.IsSetUp(ctx)
		return err
	})
	return done, err
}

// SetUp makes the first organisation and its owner. It works once, whoever comes second.
func (s *Service) SetUp(ctx context.Context, in FirstOwner) (Session, error) {
	if s.setUpToken != "" && subtle.ConstantTimeCompare([]byte(in.Token), []byte(s.setUpToken)) != 1 {
		return Session{}, platform.Errorf(platform.Forbidden, "This is not the code that the server showed when it started.")
	}
	if err := checkLine("organization", in.Organization, platform.MaxNameRunes); err != nil {
		return Session{}, err
	}
	if err := checkInvitee(platform.Invitee{Name: in.Name, Email: in.Email}); err != nil {
		return Session{}, err
	}
	if err := checkPassword(in.Password); err != nil {
		return Session{}, err
	}
	done, err := s.IsSetUp(ctx) // before the slow hash
	if err != nil {
		return Session{}, err
	}
	if done {
		return Session{}, platform.Errorf(platform.Conflict, "This installation is set up already. Sign in, or ask its owner for an account.")
	}
	hash, err := s.passwords.Hash(ctx, in.Password)
	if err != nil {
		return Session{}, err
	}
	return run(ctx, s, Actor{}, SetUpInstallation, func(w *work) (Session, error) {
		org, u, err := w.SetUp(ctx, in.Organization, platform.User{Email: in.Email, Name: in.Name, PasswordHash: hash})
		if err != nil {
			return Session{}, err
		}
		w.org, w.actor = org.ID, Actor{kind: platform.ActorUser, user: u.ID}
		w.about(u.ID, nil)
		return Session{UserID: u.ID, Begun: w.Now(), Org: org.ID}, nil
	})
}

// Memberships are the organisations that the user of a session may choose from.
func (s *Service) Memberships(ctx context.Context, a Actor, in Session) ([]platform.Membership, error) {
	return run(ctx, s, a, ListMemberships, func(w *work) ([]platform.Membership, error) {
		all, err := w.Memberships(ctx, a.user)
		return slices.DeleteFunc(hideHashes(all), func(m platform.Membership) bool { return !in.accepts(m.Org) }), err
	})
}

// hideHashes keeps what only signing in needs from those who show users.
func hideHashes(in []platform.Membership) []platform.Membership {
	for i := range in {
		in[i].User.PasswordHash = ""
	}
	return in
}

// Organization reads the actor's organisation.
func (s *Service) Organization(ctx context.Context, a Actor) (platform.Organization, error) {
	return run(ctx, s, a, ReadOrganization, func(w *work) (platform.Organization, error) { return w.Organization(ctx, w.org) })
}

// ChangeOrganization changes name and retention, which is offered to new assessments.
func (s *Service) ChangeOrganization(ctx context.Context, a Actor, name string, retentionDays int) error {
	return s.do(ctx, a, ChangeOrganization, func(w *work) error {
		if err := checkLine("name", name, platform.MaxNameRunes); err != nil {
			return err
		}
		w.about(platform.ID(w.org), map[string]int{"retentionDays": retentionDays})
		return w.UpdateOrganization(ctx, w.org, name, retentionDays)
	})
}

// Members are the users of the organisation, by name.
func (s *Service) Members(ctx context.Context, a Actor) ([]platform.Membership, error) {
	return run(ctx, s, a, ListMembers, func(w *work) ([]platform.Membership, error) {
		all, err := w.Members(ctx, w.org)
		return hideHashes(all), err
	})
}

// AddMember gives somebody a role. Who has no account yet gets one, and a mail with a link that sets the password.
func (s *Service) AddMember(ctx context.Context, a Actor, email, name string, role platform.Role) (platform.Membership, error) {
	return run(ctx, s, a, AddMember, func(w *work) (platform.Membership, error) {
		none := platform.Membership{}
		if err := checkInvitee(platform.Invitee{Name: name, Email: email}); err != nil {
			return none, err
		}
		if err := w.noOwners(ctx, "", role); err != nil {
			return none, err
		}
		u, err := w.UserByEmail(ctx, email)
		known := err == nil
		if platform.ErrorCode(err) == platform.NotFound {
			u, err = w.CreateUser(ctx, platform.User{Email: email, Name: name})
		}
		if err != nil {
			return none, err
		}
		if err := w.AddMember(ctx, w.org, u.ID, role); err != nil {
			return none, err
		}
		if !known {
			if err := s.mailLink(ctx, w.Tx, w.org, u, welcomeLink); err != nil {
				return none, err
			}
		}
		w.about(u.ID, map[string]platform.Role{"role": role})
		m, err := w.Member(ctx, w.org, u.ID)
		m.User.PasswordHash = ""
		return m, err
	})
}

// ChangeMember changes a role. The last owner stays one.
func (s *Service) ChangeMember(ctx context.Context, a Actor, user platform.ID, role platform.Role) error {
	return s.do(ctx, a, ChangeMember, func(w *work) error {
		if err := w.noOwners(ctx, user, role); err != nil {
			return err
		}
		w.about(user, map[string]platform.Role{"role": role})
		return w.SetRole(ctx, w.org, user, role)
	})
}

// RemoveMember takes a user out of the organisation, at once. The last owner stays. API tokens that the user has made stay
// too: they are the organisation's.
func (s *Service) RemoveMember(ctx context.Context, a Actor, user platform.ID) error {
	return s.do(ctx, a, RemoveMember, func(w *work) error {
		if err := w.noOwners(ctx, user, ""); err != nil {
			return err
		}
		w.about(user, nil)
		return w.RemoveMember(ctx, w.org, user)
	})
}

// noOwners keeps programs from making, changing and removing owners: who owns the organisation is for its owners to say.
func (w *work) noOwners(ctx context.Context, user platform.ID, to platform.Role) error {
	if w.actor.kind != platform.ActorToken {
		return nil
	}
	owner := to == platform.Owner
	if user != "" {
		m, err := w.Member(ctx, w.org, user)
		if err != nil {
			return err
		}
		owner = owner || m.Role == platform.Owner
	}
	if owner {
		return platform.Errorf(platform.Forbidden, "A token neither makes nor changes owners. An owner does that in the browser.")
	}
	return nil
}

// MaxTokenDays is how long an API token may last.
const MaxTokenDays = 366

// CreateToken makes an API token. The secret is shown once. It expires within MaxTokenDays. One that is made by a token may no
// more than that one, and for no longer.
func (s *Service) CreateToken(ctx context.Context, a Actor, name string, scopes []platform.Scope, expires time.Time) (t platform.APIToken, secret string, err error) {
	secret = platform.NewToken(platform.AccessToken)
	t, err = run(ctx, s, a, CreateToken, func(w *work) (platform.APIToken, error) {
		none := platform.APIToken{}
		if err := checkLine("name", name, platform.MaxNameRunes); err != nil {
			return none, err
		}
		if len(scopes) == 0 {
			return none, platform.InvalidField("scopes", "A token needs a scope at least.")
		}
		for i, scope := range scopes {
			if !slices.Contains(platform.Scopes(), scope) || slices.Contains(scopes[:i], scope) {
				return none, platform.InvalidField("scopes", "There is no scope %q, or it is named twice.", safeName(string(scope)))
			}
		}
		if !expires.After(w.Now()) || expires.After(w.Now().AddDate(0, 0, MaxTokenDays)) {
			return none, platform.InvalidField("expiresAt", "A token expires in the future, within %d days.", MaxTokenDays)
		}
		if err := a.hands(scopes, expires); err != nil {
			return none, err
		}
		t, err := w.CreateToken(ctx, w.org, platform.APIToken{Name: name, Scopes: scopes, CreatedBy: w.by(), ExpiresAt: expires}, platform.HashToken(secret))
		w.about(t.ID, map[string]any{"scopes": scopes})
		return t, err
	})
	if err != nil {
		return platform.APIToken{}, "", err
	}
	return t, secret, nil
}

// hands says whether an actor may hand rights on. Owners have all of them; a token has its own.
func (a Actor) hands(scopes []platform.Scope, until time.Time) error {
	if a.kind != platform.ActorToken {
		return nil
	}
	for _, scope := range scopes {
		if !a.token.Has(scope) {
			return platform.Errorf(platform.Forbidden, "A token cannot give the scope %s without having it.", scope)
		}
	}
	if !a.token.ExpiresAt.IsZero() && until.After(a.token.ExpiresAt) {
		return platform.InvalidField("expiresAt", "A token that a token makes lasts no longer than that one.")
	}
	return nil
}

// Tokens are the organisation's API tokens, the newest first.
func (s *Service) Tokens(ctx context.Context, a Actor) ([]platform.APIToken, error) {
	return run(ctx, s, a, ListTokens, func(w *work) ([]platform.APIToken, error) { return w.Tokens(ctx, w.org) })
}

// RevokeToken ends an API token.
func (s *Service) RevokeToken(ctx context.Context, a Actor, id platform.ID) error {
	return s.do(ctx, a, RevokeToken, func(w *work) error {
		w.about(id, nil)
		return w.RevokeToken(ctx, w.org, id)
	})
}
