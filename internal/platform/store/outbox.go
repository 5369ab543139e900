package store

import (
	"context"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

const mailColumns = `org_id, id, template, candidate_id, user_id, invitation_id, sealed, state, tries, next_at, last_error, created_at, done_at`

func scanMail(r row) (platform.Mail, error) {
	m := platform.Mail{}
	return m, r.Scan(&m.Org, &m.ID, &m.Template, optionalID{&m.CandidateID}, optionalID{&m.UserID}, optionalID{&m.InvitationID}, &m.Sealed,
		&m.State, &m.Tries, instant{&m.NextAt}, &m.LastError, instant{&m.CreatedAt}, instant{&m.DoneAt})
}

// QueueMail puts a mail into the outbox, in the transaction in which there is reason for it. Of m, template, addressee,
// invitation and sealed words are taken. The addressee is a candidate or a member of the organisation.
func (tx *Tx) QueueMail(ctx context.Context, org platform.OrgID, m platform.Mail) (platform.Mail, error) {
	if (m.CandidateID == "") == (m.UserID == "") {
		return platform.Mail{}, platform.Errorf(platform.Internal, "a mail goes to a candidate or to a user")
	}
	if m.UserID != "" {
		if _, err := tx.Member(ctx, org, m.UserID); err != nil {
			return platform.Mail{}, err
		}
	}
	id := platform.NewID(platform.KindMail, tx.now)
	_, err := tx.exec(ctx, `INSERT INTO outbox (org_id, id, template, candidate_id, user_id, invitation_id, sealed, state, next_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		org, id, m.Template, optional(m.CandidateID), optional(m.UserID), optional(m.InvitationID), notNil(m.Sealed), platform.SendPending, ms(tx.now), ms(tx.now))
	if broken(err) == foreignConstraint {
		return platform.Mail{}, platform.Errorf(platform.NotFound, "There is no such candidate or invitation.")
	}
	if err != nil {
		return platform.Mail{}, failed("write mail", err)
	}
	return tx.Mail(ctx, org, id)
}

// Mail reads a mail.
func (tx *Tx) Mail(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Mail, error) {
	m, err := scanMail(tx.sql.QueryRowContext(ctx, `SELECT `+mailColumns+` FROM outbox WHERE org_id = $1 AND id = $2`, org, id))
	if err != nil {
		return platform.Mail{}, found(err, "mail")
	}
	return m, nil
}

// SystemMailsDue takes mails that are due, as SystemDeliveriesDue does.
func (tx *Tx) SystemMailsDue(ctx context.Context, lease time.Duration, limit int) ([]platform.Mail, error) {
	out, err := all(ctx, tx, scanMail, `UPDATE outbox SET tries = tries + 1, next_at = $2 WHERE state = 'pending' AND next_at <= $1
		AND (org_id, id) IN (SELECT x.org_id, x.id FROM outbox x WHERE x.state = 'pending' AND x.next_at <= $1 ORDER BY x.next_at, x.id LIMIT $3)
		RETURNING `+mailColumns, ms(tx.now), ms(tx.now.Add(lease)), int64(limit))
	return out, failed("take mails", err)
}

// MailDone keeps that a mail was sent, and forgets its sealed words.
func (tx *Tx) MailDone(ctx context.Context, org platform.OrgID, id platform.ID) error {
	n, err := tx.exec(ctx, `UPDATE outbox SET state = 'done', sealed = $3, last_error = '', done_at = $4 WHERE org_id = $1 AND id = $2 AND state = 'pending'`,
		org, id, []byte{}, ms(tx.now))
	return changedOne(n, err, "mail")
}

// MailFailed keeps a try that failed. next is when it is tried again, zero: never, and then its sealed words are forgotten.
func (tx *Tx) MailFailed(ctx context.Context, org platform.OrgID, id platform.ID, why string, next time.Time) error {
	query := `UPDATE outbox SET last_error = $3, next_at = $4 WHERE org_id = $1 AND id = $2 AND state = 'pending'`
	args := []any{org, id, bounded(why), ms(next)}
	if next.IsZero() {
		query = `UPDATE outbox SET last_error = $3, state = 'failed', done_at = $4, sealed = $5 WHERE org_id = $1 AND id = $2 AND state = 'pending'`
		args = []any{org, id, bounded(why), ms(tx.now), []byte{}}
	}
	n, err := tx.exec(ctx, query, args...)
	return changedOne(n, err, "mail")
}
