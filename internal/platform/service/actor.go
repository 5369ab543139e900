package service

import (
	"context"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// Actor is who does something. The zero Actor is nobody. One is made by the methods of Service below, which look at what
// was shown; it is good for one request.
type Actor struct {
	kind       platform.ActorKind
	org        platform.OrgID
	user       platform.ID
	role       platform.Role
	token      platform.APIToken
	invitation platform.ID
	candidate  platform.ID
	// RequestID ties what is done to the server's log.
	RequestID string
}

// Kind is what kind of somebody it is; empty for nobody.
func (a Actor) Kind() platform.ActorKind { return a.kind }

// Org is the organisation that is acted in; it may be empty.
func (a Actor) Org() platform.OrgID { return a.org }

// Role is that of a user in the organisation; empty for anybody else.
func (a Actor) Role() platform.Role { return a.role }

// InvitationID is that of a candidate; empty for anybody else.
func (a Actor) InvitationID() platform.ID { return a.invitation }

// Identity is what is kept of who did something.
func (a Actor) Identity() platform.Actor {
	switch a.kind {
	case platform.ActorUser:
		return platform.Actor{Kind: a.kind, ID: a.user}
	case platform.ActorToken:
		return platform.Actor{Kind: a.kind, ID: a.token.ID}
	case platform.ActorCandidate:
		return platform.Actor{Kind: a.kind, ID: a.candidate}
	default:
		return platform.Actor{Kind: platform.ActorSystem}
	}
}

// Session is what a browser's session keeps.
type Session struct {
	UserID platform.ID
	Begun  time.Time
	// Org is the organisation that was chosen; empty: none yet.
	Org platform.OrgID
	// Orgs are those that accept how the user signed in; empty: all.
	Orgs []platform.OrgID
}

// accepts says whether a session may act in an organisation.
func (s Session) accepts(org platform.OrgID) bool {
	return len(s.Orgs) == 0 || slices.Contains(s.Orgs, org)
}

// UserActor is the user of a session. Role and membership are read anew, so that a change holds at once. A session that
// has ended gives an Unauthorised error. A user whose membership of the chosen organisation is gone has none chosen.
func (s *Service) UserActor(ctx context.Context, in Session) (Actor, error) {
	a := Actor{kind: platform.ActorUser, user: in.UserID}
	err := s.store.View(ctx, func(tx *store.Tx) error {
		u, err := tx.User(ctx, in.UserID)
		ended := platform.Errorf(platform.Unauthorised, "Your session has ended. Sign in again.")
		switch {
		case platform.ErrorCode(err) == platform.NotFound:
			return ended
		case err != nil:
			return err
		case !u.DisabledAt.IsZero() || in.Begun.Before(u.SessionsFrom):
			return ended
		case in.Org == "" || !in.accepts(in.Org):
			return nil
		}
		m, err := tx.Member(ctx, in.Org, in.UserID)
		if platform.ErrorCode(err) == platform.NotFound {
			return nil
		}
		a.org, a.role = m.Org, m.Role
		return err
	})
	if err != nil {
		return Actor{}, err
	}
	return a, nil
}

// TokenActor is the program that has shown an API token. The use of the token is kept, to a minute.
func (s *Service) TokenActor(ctx context.Context, token string) (Actor, error) {
	var t platform.APIToken
	err := s.store.View(ctx, func(tx *store.Tx) (err error) {
		t, err = tx.TokenByHash(ctx, platform.HashToken(token))
		return err
	})
	if err != nil {
		return Actor{}, err
	}
	if s.now().Sub(t.LastUsedAt) >= time.Minute { // most requests write nothing
		if err := s.store.Tx(ctx, func(tx *store.Tx) error { return tx.TokenUsed(ctx, t.Org, t.ID) }); err != nil {
			return Actor{}, err
		}
	}
	return Actor{kind: platform.ActorToken, org: t.Org, token: t}, nil
}

// CandidateActor is the candidate who has followed the link of an invitation. A token that nobody knows is not found; one
// of an invitation that has ended is recognised, and each use case says what has become of it.
func (s *Service) CandidateActor(ctx context.Context, token string) (Actor, error) {
	var i platform.Invitation
	err := s.store.View(ctx, func(tx *store.Tx) (err error) {
		i, err = tx.InvitationByToken(ctx, platform.HashToken(token))
		return err
	})
	if platform.ErrorCode(err) == platform.NotFound {
		return Actor{}, platform.Errorf(platform.NotFound, "This link is not valid. Use the newest one that you were sent, in full.")
	}
	if err != nil {
		return Actor{}, err
	}
	return Actor{kind: platform.ActorCandidate, org: i.Org, invitation: i.ID, candidate: i.CandidateID}, nil
}

// SystemActor is the installation itself, at work in an organisation or, when that is empty, in none.
func SystemActor(org platform.OrgID) Actor { return Actor{kind: platform.ActorSystem, org: org} }
