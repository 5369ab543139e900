package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

const tokenColumns = `org_id, id, name, scopes, created_by, created_at, expires_at, last_used_at, revoked_at` // #nosec G101 -- names of columns

func scanToken(r row) (platform.APIToken, error) {
	t, scopes := platform.APIToken{}, ""
	err := r.Scan(&t.Org, &t.ID, &t.Name, &scopes, &t.CreatedBy, instant{&t.CreatedAt}, instant{&t.ExpiresAt},
		instant{&t.LastUsedAt}, instant{&t.RevokedAt})
	t.Scopes = split[platform.Scope](scopes)
	return t, err
}

// CreateToken stores an API token of which only the hash is known here. Of t, name, scopes, creator and expiry are taken.
func (tx *Tx) CreateToken(ctx context.Context, org platform.OrgID, t platform.APIToken, hash string) (platform.APIToken, error) {
	if err := checkName(t.Name); err != nil {
		return platform.APIToken{}, err
	}
	t.Org, t.ID, t.CreatedAt = org, platform.NewID(platform.KindToken, tx.now), tx.now
	_, err := tx.exec(ctx, `INSERT INTO api_tokens (org_id, id, name, token_hash, scopes, created_by, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		org, t.ID, t.Name, hash, joined(t.Scopes), t.CreatedBy, ms(t.CreatedAt), orNull(t.ExpiresAt))
	return t, failed("create token", err)
}

// Tokens are an organisation's API tokens, the newest first, revoked ones included.
func (tx *Tx) Tokens(ctx context.Context, org platform.OrgID) ([]platform.APIToken, error) {
	out, err := all(ctx, tx, scanToken, `SELECT `+tokenColumns+` FROM api_tokens WHERE org_id = $1 ORDER BY created_at DESC, id DESC`, org)
	return out, failed("list tokens", err)
}

// RevokeToken ends a token. Doing it twice changes nothing.
func (tx *Tx) RevokeToken(ctx context.Context, org platform.OrgID, id platform.ID) error {
	n, err := tx.exec(ctx, `UPDATE api_tokens SET revoked_at = COALESCE(revoked_at, $3) WHERE org_id = $1 AND id = $2`, org, id, ms(tx.now))
	return changedOne(n, err, "token")
}

// TokenByHash finds the token that a request came with. One that is revoked or expired gives an Unauthorised error, as
// one that never was does.
func (tx *Tx) TokenByHash(ctx context.Context, hash string) (platform.APIToken, error) {
	t, err := scanToken(tx.sql.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM api_tokens WHERE token_hash = $1`, hash))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !t.UsableAt(tx.now) {
		return platform.APIToken{}, platform.Errorf(platform.Unauthorised, "This token is unknown, expired or revoked.")
	}
	return t, failed("read token", err)
}

// tokenUse is how exactly the last use of a token is kept: not every request writes.
const tokenUse = time.Minute

// TokenUsed keeps that a token was used, to a minute.
func (tx *Tx) TokenUsed(ctx context.Context, org platform.OrgID, id platform.ID) error {
	_, err := tx.exec(ctx, `UPDATE api_tokens SET last_used_at = $3 WHERE org_id = $1 AND id = $2
		AND (last_used_at IS NULL OR last_used_at <= $4)`, org, id, ms(tx.now), ms(tx.now.Add(-tokenUse)))
	return failed("keep use of token", err)
}

// Sessions keeps browser sessions; it has the shape that session managers ask for. Only hashes of their tokens are stored.
type Sessions struct{ store *Store }

// Sessions are the sessions of browsers.
func (s *Store) Sessions() Sessions { return Sessions{s} }

// FindCtx reads a session; one that has expired is not there.
func (s Sessions) FindCtx(ctx context.Context, token string) (data []byte, exists bool, err error) {
	err = s.store.View(ctx, func(tx *Tx) error {
		err := tx.sql.QueryRowContext(ctx, `SELECT data FROM sessions WHERE token_hash = $1 AND expires_at > $2`,
			platform.HashToken(token), ms(tx.now)).Scan(&data)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		exists = err == nil
		return failed("read session", err)
	})
	return data, exists, err
}

// CommitCtx writes a session.
func (s Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return s.store.Tx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `INSERT INTO sessions (token_hash, data, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (token_hash) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at`,
			platform.HashToken(token), notNil(data), ms(expiry))
		return failed("write session", err)
	})
}

// DeleteCtx ends a session.
func (s Sessions) DeleteCtx(ctx context.Context, token string) error {
	return s.store.Tx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `DELETE FROM sessions WHERE token_hash = $1`, platform.HashToken(token))
		return failed("delete session", err)
	})
}

// Find is FindCtx without a context.
func (s Sessions) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context.
func (s Sessions) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a context.
func (s Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// notNil is for columns that may be empty but not NULL.
func notNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}
