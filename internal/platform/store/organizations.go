package store

import (
	"context"
	"strings"

	"github.com/assay-run/assay/internal/platform"
)

// defaultRetentionDays is what a new organisation offers its assessments.
const defaultRetentionDays = 90

// IsSetUp says whether the first owner exists.
func (tx *Tx) IsSetUp(ctx context.Context) (bool, error) {
	var n int
	err := tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM installation`).Scan(&n)
	return n > 0, failed("read installation", err)
}

// SetUp makes the first organisation and its owner. It works once: whoever comes second, also at the same moment, gets a
// Conflict error. Of the user, address, name and password hash are taken.
func (tx *Tx) SetUp(ctx context.Context, orgName string, owner platform.User) (platform.Organization, platform.User, error) {
	org, err := tx.CreateOrganization(ctx, orgName)
	if err != nil {
		return platform.Organization{}, platform.User{}, err
	}
	_, err = tx.exec(ctx, `INSERT INTO installation (id, org_id, created_at) VALUES (1, $1, $2)`, org.ID, ms(tx.now))
	if broken(err) == uniqueConstraint {
		return platform.Organization{}, platform.User{}, platform.Errorf(platform.Conflict, "This installation is set up already. Sign in, or ask its owner for an account.")
	}
	if err != nil {
		return platform.Organization{}, platform.User{}, failed("set up installation", err)
	}
	user, err := tx.CreateUser(ctx, owner)
	if err != nil {
		return platform.Organization{}, platform.User{}, err
	}
	return org, user, tx.AddMember(ctx, org.ID, user.ID, platform.Owner)
}

// CreateOrganization makes an organisation without members.
func (tx *Tx) CreateOrganization(ctx context.Context, name string) (platform.Organization, error) {
	if err := checkName(name); err != nil {
		return platform.Organization{}, err
	}
	org := platform.Organization{
		ID: platform.NewOrgID(tx.now), Name: strings.TrimSpace(name), CreatedAt: tx.now, RetentionDays: defaultRetentionDays,
	}
	_, err := tx.exec(ctx, `INSERT INTO organizations (id, name, retention_days, created_at) VALUES ($1, $2, $3, $4)`,
		org.ID, org.Name, org.RetentionDays, ms(org.CreatedAt))
	return org, failed("create organisation", err)
}

func checkName(name string) error {
	if n := len([]rune(strings.TrimSpace(name))); n == 0 || n > platform.MaxNameRunes {
		return platform.InvalidField("name", "A name has from 1 to %d characters.", platform.MaxNameRunes)
	}
	return nil
}

// Organization reads an organisation.
func (tx *Tx) Organization(ctx context.Context, org platform.OrgID) (platform.Organization, error) {
	out := platform.Organization{}
	err := tx.sql.QueryRowContext(ctx, `SELECT id, name, retention_days, created_at FROM organizations WHERE id = $1`, org).
		Scan(&out.ID, &out.Name, &out.RetentionDays, instant{&out.CreatedAt})
	if err != nil {
		return platform.Organization{}, found(err, "organisation")
	}
	return out, nil
}

// UpdateOrganization changes name and retention.
func (tx *Tx) UpdateOrganization(ctx context.Context, org platform.OrgID, name string, retentionDays int) error {
	if err := checkName(name); err != nil {
		return err
	}
	if retentionDays < 1 || retentionDays > platform.MaxRetentionDays {
		return platform.InvalidField("retentionDays", "Data can be kept from 1 to %d days.", platform.MaxRetentionDays)
	}
	n, err := tx.exec(ctx, `UPDATE organizations SET name = $2, retention_days = $3 WHERE id = $1`, org, strings.TrimSpace(name), retentionDays)
	return changedOne(n, err, "organisation")
}

const memberColumns = `m.org_id, o.name, m.role, m.created_at, ` + userColumns

const memberTables = ` FROM memberships m JOIN users u ON u.id = m.user_id JOIN organizations o ON o.id = m.org_id `

func scanMember(r row) (platform.Membership, error) {
	m := platform.Membership{}
	err := r.Scan(append([]any{&m.Org, &m.OrgName, &m.Role, instant{&m.CreatedAt}}, userFields(&m.User)...)...)
	return m, err
}

// Members are the users of an organisation, by name.
func (tx *Tx) Members(ctx context.Context, org platform.OrgID) ([]platform.Membership, error) {
	out, err := all(ctx, tx, scanMember, `SELECT `+memberColumns+memberTables+`WHERE m.org_id = $1 ORDER BY u.name, u.id`, org)
	return out, failed("list members", err)
}

// Memberships are the organisations of a user, by name: what a user may choose from after signing in.
func (tx *Tx) Memberships(ctx context.Context, user platform.ID) ([]platform.Membership, error) {
	out, err := all(ctx, tx, scanMember, `SELECT `+memberColumns+memberTables+`WHERE m.user_id = $1 ORDER BY o.name, o.id`, user)
	return out, failed("list memberships", err)
}

// Member reads a user of an organisation; somebody of another one is not found.
func (tx *Tx) Member(ctx context.Context, org platform.OrgID, user platform.ID) (platform.Membership, error) {
	m, err := scanMember(tx.sql.QueryRowContext(ctx, `SELECT `+memberColumns+memberTables+`WHERE m.org_id = $1 AND m.user_id = $2`, org, user))
	if err != nil {
		return platform.Membership{}, found(err, "member")
	}
	return m, nil
}

// AddMember gives a user a role in an organisation.
func (tx *Tx) AddMember(ctx context.Context, org platform.OrgID, user platform.ID, role platform.Role) error {
	if !role.Valid() {
		return platform.InvalidField("role", "A role is owner, author or reviewer.")
	}
	_, err := tx.exec(ctx, `INSERT INTO memberships (org_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)`, org, user, role, ms(tx.now))
	switch broken(err) {
	case uniqueConstraint:
		return platform.Errorf(platform.Conflict, "This user is a member already.")
	case foreignConstraint:
		return platform.Errorf(platform.NotFound, "There is no such user or organisation.")
	}
	return failed("add member", err)
}

// SetRole changes a member's role. The last owner stays one.
func (tx *Tx) SetRole(ctx context.Context, org platform.OrgID, user platform.ID, role platform.Role) error {
	if !role.Valid() {
		return platform.InvalidField("role", "A role is owner, author or reviewer.")
	}
	if role != platform.Owner {
		if err := tx.keepOwner(ctx, org, user); err != nil {
			return err
		}
	}
	n, err := tx.exec(ctx, `UPDATE memberships SET role = $3 WHERE org_id = $1 AND user_id = $2`, org, user, role)
	return changedOne(n, err, "member")
}

// RemoveMember takes a user out of an organisation. The last owner stays.
func (tx *Tx) RemoveMember(ctx context.Context, org platform.OrgID, user platform.ID) error {
	if err := tx.keepOwner(ctx, org, user); err != nil {
		return err
	}
	n, err := tx.exec(ctx, `DELETE FROM memberships WHERE org_id = $1 AND user_id = $2`, org, user)
	return changedOne(n, err, "member")
}

// keepOwner refuses to lose the last owner. It locks the owners, so that two do not remove each other.
func (tx *Tx) keepOwner(ctx context.Context, org platform.OrgID, leaving platform.ID) error {
	owners, err := all(ctx, tx, func(r row) (id platform.ID, err error) { return id, r.Scan(&id) },
		`SELECT user_id FROM memberships WHERE org_id = $1 AND role = 'owner' ORDER BY user_id`+tx.forUpdate(), org)
	if err != nil {
		return failed("list owners", err)
	}
	if len(owners) == 1 && owners[0] == leaving {
		return platform.Errorf(platform.Conflict, "An organisation needs an owner. Make somebody else owner first.")
	}
	return nil
}
