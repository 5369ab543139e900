package store

import (
	"context"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

const userColumns = `u.id, u.email, u.name, u.password_hash, u.created_at, u.disabled_at, u.sessions_from, u.failed_sign_ins, u.locked_until`

func userFields(u *platform.User) []any {
	return []any{
		&u.ID, &u.Email, &u.Name, &u.PasswordHash, instant{&u.CreatedAt}, instant{&u.DisabledAt}, instant{&u.SessionsFrom},
		&u.FailedSignIns, instant{&u.LockedUntil},
	}
}

// CreateUser makes a user without membership. Of u, address, name and password hash are taken; the address must be free.
func (tx *Tx) CreateUser(ctx context.Context, u platform.User) (platform.User, error) {
	out := platform.User{
		ID: platform.NewID(platform.KindUser, tx.now), Email: platform.NormalEmail(u.Email), Name: u.Name,
		PasswordHash: u.PasswordHash, CreatedAt: tx.now,
	}
	if err := checkName(u.Name); err != nil {
		return platform.User{}, err
	}
	if out.Email == "" {
		return platform.User{}, platform.InvalidField("email", "A user needs an address.")
	}
	if err := (platform.Invitee{Name: out.Name, Email: out.Email}).Validate(); err != nil {
		return platform.User{}, err
	}
	_, err := tx.exec(ctx, `INSERT INTO users (id, email, name, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)`,
		out.ID, out.Email, out.Name, out.PasswordHash, ms(out.CreatedAt))
	if broken(err) == uniqueConstraint {
		return platform.User{}, platform.Errorf(platform.Conflict, "There is a user with this address already.")
	}
	return out, failed("create user", err)
}

// User reads a user, e.g. the one that a session is of. For what a page of an organisation shows, use Member.
func (tx *Tx) User(ctx context.Context, id platform.ID) (platform.User, error) {
	return tx.user(ctx, `u.id = $1`, id)
}

// UserByEmail finds who wants to sign in.
func (tx *Tx) UserByEmail(ctx context.Context, email string) (platform.User, error) {
	return tx.user(ctx, `u.email = $1`, platform.NormalEmail(email))
}

// UserByIdentity finds who was sent by an OpenID provider.
func (tx *Tx) UserByIdentity(ctx context.Context, issuer, subject string) (platform.User, error) {
	return tx.user(ctx, `u.id = (SELECT user_id FROM identities WHERE issuer = $1 AND subject = $2)`, issuer, subject)
}

func (tx *Tx) user(ctx context.Context, where string, args ...any) (platform.User, error) {
	u := platform.User{}
	err := tx.sql.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE `+where, args...).Scan(userFields(&u)...)
	if err != nil {
		return platform.User{}, found(err, "user")
	}
	return u, nil
}

// LinkIdentity lets a user sign in through an OpenID provider. An identity belongs to one user.
func (tx *Tx) LinkIdentity(ctx context.Context, i platform.Identity) error {
	_, err := tx.exec(ctx, `INSERT INTO identities (issuer, subject, user_id) VALUES ($1, $2, $3)`, i.Issuer, i.Subject, i.UserID)
	switch broken(err) {
	case uniqueConstraint:
		return platform.Errorf(platform.Conflict, "This identity belongs to a user already.")
	case foreignConstraint:
		return platform.Errorf(platform.NotFound, "There is no such user.")
	}
	return failed("link identity", err)
}

// SetPassword changes a user's password hash and ends all sessions.
func (tx *Tx) SetPassword(ctx context.Context, user platform.ID, hash string) error {
	n, err := tx.exec(ctx, `UPDATE users SET password_hash = $2, sessions_from = $3, failed_sign_ins = 0, locked_until = NULL WHERE id = $1`,
		user, hash, ms(tx.now))
	return changedOne(n, err, "user")
}

// EndSessions makes every session void that began before now.
func (tx *Tx) EndSessions(ctx context.Context, user platform.ID) error {
	n, err := tx.exec(ctx, `UPDATE users SET sessions_from = $2 WHERE id = $1`, user, ms(tx.now))
	return changedOne(n, err, "user")
}

// DisableUser keeps a user from signing in anywhere, and ends all sessions.
func (tx *Tx) DisableUser(ctx context.Context, user platform.ID) error {
	n, err := tx.exec(ctx, `UPDATE users SET disabled_at = $2, sessions_from = $2 WHERE id = $1`, user, ms(tx.now))
	return changedOne(n, err, "user")
}

// SignInFailed counts a wrong password. With every most-th in a row the user is locked out for a while.
func (tx *Tx) SignInFailed(ctx context.Context, user platform.ID, most int, lockout time.Duration) (platform.User, error) {
	n, err := tx.exec(ctx, `UPDATE users SET failed_sign_ins = failed_sign_ins + 1,
		locked_until = CASE WHEN (failed_sign_ins + 1) % $2 = 0 THEN $3 ELSE locked_until END WHERE id = $1`,
		user, int64(most), ms(tx.now.Add(lockout)))
	if err := changedOne(n, err, "user"); err != nil {
		return platform.User{}, err
	}
	return tx.User(ctx, user)
}

// SignedIn forgets wrong passwords.
func (tx *Tx) SignedIn(ctx context.Context, user platform.ID) error {
	n, err := tx.exec(ctx, `UPDATE users SET failed_sign_ins = 0, locked_until = NULL WHERE id = $1`, user)
	return changedOne(n, err, "user")
}
