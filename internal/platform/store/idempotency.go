package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// idempotencyKept is how long a key is remembered.
const idempotencyKept = 24 * time.Hour

// Once makes sure that a request that is sent twice is done once. scope says who asks for what, key is the caller's, and
// bodyHash tells whether it is the same request. nil means: nobody has done it, do it in this transaction and end with
// Remember. Otherwise the answer is the one that the first got. The same key with another body is a Conflict.
//
// Whoever comes while the first is still at it waits for the end of that transaction.
func (tx *Tx) Once(ctx context.Context, org platform.OrgID, scope, key, bodyHash string) (*platform.Stored, error) {
	if key == "" || len(key) > 255 || key != clean(key) {
		return nil, platform.InvalidField("Idempotency-Key", "An idempotency key has from 1 to 255 bytes.")
	}
	if _, err := tx.exec(ctx, `DELETE FROM idempotency_keys WHERE org_id = $1 AND scope = $2 AND key = $3 AND expires_at <= $4`, org, scope, key, ms(tx.now)); err != nil {
		return nil, failed("forget old idempotency key", err)
	}
	n, err := tx.exec(ctx, `INSERT INTO idempotency_keys (org_id, scope, key, body_hash, status, body, expires_at) VALUES ($1, $2, $3, $4, 0, $5, $6)
		ON CONFLICT DO NOTHING`, org, scope, key, bodyHash, []byte{}, ms(tx.now.Add(idempotencyKept)))
	if err != nil {
		return nil, failed("write idempotency key", err)
	}
	if n == 1 {
		return nil, nil
	}
	var hash string
	out := &platform.Stored{}
	err = tx.sql.QueryRowContext(ctx, `SELECT body_hash, status, body FROM idempotency_keys WHERE org_id = $1 AND scope = $2 AND key = $3`, org, scope, key).
		Scan(&hash, &out.Status, &out.Body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, platform.Errorf(platform.Conflict, "This request was repeated while its first answer was being forgotten. Send it again.")
	case err != nil:
		return nil, failed("read idempotency key", err)
	case hash != bodyHash:
		return nil, platform.Errorf(platform.Conflict, "This idempotency key was used for another request.")
	}
	return out, nil
}

// Remember keeps the answer to a request that Once has let through.
func (tx *Tx) Remember(ctx context.Context, org platform.OrgID, scope, key string, answer platform.Stored) error {
	if len(answer.Body) > platform.MaxStoredBytes {
		return platform.Errorf(platform.Internal, "an answer of %d bytes is too large to be remembered", len(answer.Body))
	}
	n, err := tx.exec(ctx, `UPDATE idempotency_keys SET status = $4, body = $5 WHERE org_id = $1 AND scope = $2 AND key = $3`,
		org, scope, key, answer.Status, notNil(answer.Body))
	return changedOne(n, err, "idempotency key")
}

// SystemForget removes what has expired: idempotency keys and browser sessions.
func (tx *Tx) SystemForget(ctx context.Context) error {
	if _, err := tx.exec(ctx, `DELETE FROM idempotency_keys WHERE expires_at <= $1`, ms(tx.now)); err != nil {
		return failed("forget idempotency keys", err)
	}
	_, err := tx.exec(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, ms(tx.now))
	return failed("forget sessions", err)
}
