package store

import "context"

// SystemDue is how many jobs of the whole installation wait and may begin.
func (tx *Tx) SystemDue(ctx context.Context) (n int, err error) {
	err = tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM jobs WHERE `+waiting+` AND run_after <= $1`, ms(tx.now)).Scan(&n)
	return n, failed("count jobs that wait", err)
}
