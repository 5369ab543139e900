package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/assay-run/assay/internal/platform"
)

// stageOf is the SQL of platform.Stage; now is the place of the current time.
func stageOf(now string) string {
	return `CASE WHEN i.state IN ('revoked', 'withdrawn') THEN i.state WHEN t.id IS NOT NULL THEN t.state
		WHEN i.expires_at <= ` + now + ` THEN 'expired' ELSE i.state END`
}

// overviewTables join an invitation with its candidate and its newest attempt.
const overviewTables = ` FROM invitations i
	JOIN candidates c ON c.org_id = i.org_id AND c.id = i.candidate_id
	LEFT JOIN attempts t ON t.org_id = i.org_id AND t.id = i.attempt_id `

const handedInAt = `(SELECT MAX(s.received_at) FROM submissions s WHERE s.org_id = i.org_id AND s.attempt_id = i.attempt_id AND s.kind = 'final' AND s.accepted)`

// overviewKey is what a list is sorted by; every order has the id as its last word.
func overviewKey(sort platform.OverviewSort) (key, direction string) {
	switch sort {
	case platform.ByName:
		return `c.name_key`, "ASC"
	case platform.ByScore:
		return `COALESCE(t.score, -1)`, "DESC"
	case platform.ByHandedIn:
		return `COALESCE(` + handedInAt + `, -1)`, "DESC"
	default:
		return `i.created_at`, "DESC"
	}
}

// Overview lists the candidates of an assessment. A cursor names the last row of the page before, and the list goes on
// from where that row is now; when it is gone, the cursor is refused as Gone, and the list begins anew.
func (tx *Tx) Overview(ctx context.Context, org platform.OrgID, assessment platform.ID, f platform.OverviewFilter, sort platform.OverviewSort, ask platform.Page) (platform.List[platform.OverviewRow], error) {
	none := platform.List[platform.OverviewRow]{}
	if sort == "" {
		sort = platform.ByInvited
	}
	if !sort.Valid() {
		return none, platform.InvalidField("sort", "The list is sorted by invited, name, score or handedIn.")
	}
	if _, err := tx.Assessment(ctx, org, assessment); err != nil {
		return none, err
	}
	p := &params{values: []any{org, assessment, ms(tx.now)}}
	stage := stageOf("$3")
	where := ` WHERE i.org_id = $1 AND i.assessment_id = $2` + overviewWhere(p, stage, f)
	key, direction := overviewKey(sort)
	mark, err := ask.After.Decode()
	if err != nil {
		return none, err
	}
	if mark.ID != "" {
		more, err := tx.after(ctx, p, org, assessment, mark, sort)
		if err != nil {
			return none, err
		}
		where += more
	}
	items, err := all(ctx, tx, scanOverview, `SELECT `+invitationColumns+`, `+candidateColumns+`, `+stage+`, `+optionalAttemptColumns+`,
		(SELECT COUNT(*) FROM jobs j WHERE j.org_id = i.org_id AND j.attempt_id = i.attempt_id AND j.`+waiting+`),
		(SELECT COUNT(*) FROM jobs j WHERE j.org_id = i.org_id AND j.attempt_id = i.attempt_id AND j.state = 'running'),
		`+handedInAt+`,
		COALESCE((SELECT r.headline FROM results r WHERE r.org_id = i.org_id AND r.attempt_id = i.attempt_id AND r.kind = 'final' AND r.standing
			ORDER BY r.score, r.id LIMIT 1), '')`+
		overviewTables+where+fmt.Sprintf(` ORDER BY %s %s, i.id %s LIMIT %d`, key, direction, direction, ask.Size()+1), p.values...)
	return page(items, ask, func(r platform.OverviewRow) platform.Mark {
		return platform.Mark{ID: r.Invitation.ID, Sort: string(sort)}
	}), failed("list candidates", err)
}

// after is the condition of the rows behind the one that a cursor names. Its key is read afresh, so that no name or score
// has to be in the cursor.
func (tx *Tx) after(ctx context.Context, p *params, org platform.OrgID, assessment platform.ID, mark platform.Mark, sort platform.OverviewSort) (string, error) {
	if mark.Sort != string(sort) {
		return "", platform.InvalidField("after", "This cursor is of the same list in another order.")
	}
	there := false
	err := tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) > 0 FROM invitations WHERE org_id = $1 AND assessment_id = $2 AND id = $3`, org, assessment, mark.ID).Scan(&there)
	if err != nil {
		return "", failed("find place in list", err)
	}
	if !there {
		return "", platform.Errorf(platform.Gone, "The list has changed. Begin with its first page again.")
	}
	key, direction := overviewKey(sort)
	than := "<"
	if direction == "ASC" {
		than = ">"
	}
	id := p.add(mark.ID)
	of := `(SELECT ` + key + overviewTables + `WHERE i.org_id = $1 AND i.id = ` + id + `)`
	return fmt.Sprintf(` AND (%s %s %s OR (%s = %s AND i.id %s %s))`, key, than, of, key, of, than, id), nil
}

func overviewWhere(p *params, stage string, f platform.OverviewFilter) string {
	where := ""
	if len(f.Stages) > 0 {
		where += ` AND ` + stage + ` IN ` + in(p, f.Stages)
	}
	if f.Verdict != "" {
		where += ` AND t.verdict = ` + p.add(f.Verdict)
	}
	if f.Decision != "" {
		where += ` AND t.decision = ` + p.add(f.Decision)
	}
	if f.MinScore != nil {
		where += ` AND t.score >= ` + p.add(*f.MinScore)
	}
	if f.Search != "" {
		like := p.add("%" + likeSafe(clean(strings.ToLower(f.Search))) + "%")
		where += fmt.Sprintf(` AND (c.name_key LIKE %s ESCAPE '!' OR c.email_key LIKE %s ESCAPE '!' OR LOWER(c.external_ref) LIKE %s ESCAPE '!')`, like, like, like)
	}
	return where
}

// likeSafe takes the meaning from the signs of a pattern.
func likeSafe(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s)
}

// StageCounts counts an assessment's candidates by stage.
func (tx *Tx) StageCounts(ctx context.Context, org platform.OrgID, assessment platform.ID) (map[platform.Stage]int, error) {
	if _, err := tx.Assessment(ctx, org, assessment); err != nil {
		return nil, err
	}
	type count struct {
		stage platform.Stage
		n     int
	}
	counts, err := all(ctx, tx, func(r row) (c count, err error) { return c, r.Scan(&c.stage, &c.n) },
		`SELECT stage, COUNT(*) FROM (SELECT `+stageOf("$3")+` AS stage`+overviewTables+`WHERE i.org_id = $1 AND i.assessment_id = $2) AS stages GROUP BY stage`,
		org, assessment, ms(tx.now))
	if err != nil {
		return nil, failed("count candidates", err)
	}
	out := map[platform.Stage]int{}
	for _, c := range counts {
		out[c.stage] = c.n
	}
	return out, nil
}

// optionalAttemptColumns are attemptColumns of an attempt that may be missing, and its end.
const optionalAttemptColumns = `t.id IS NOT NULL, COALESCE(t.org_id, ''), COALESCE(t.id, ''), COALESCE(t.invitation_id, ''), COALESCE(t.candidate_id, ''),
	COALESCE(t.assessment_id, ''), COALESCE(t.assessment_version, 0), COALESCE(t.number, 0), COALESCE(t.state, ''), t.started_at, t.limit_ms,
	COALESCE(t.extra_percent, 0), t.deadline_at, COALESCE(t.consent_version, ''), t.consent_at, t.ended_at, t.score, t.score_low, t.score_high,
	COALESCE(t.verdict, ''), COALESCE(t.decision, ''), t.ends_at`

func scanOverview(r row) (platform.OverviewRow, error) {
	out, a, begun := platform.OverviewRow{}, platform.Attempt{}, false
	attempt, done := attemptFields(&a)
	fields := append(invitationFields(&out.Invitation), candidateFields(&out.Candidate)...)
	fields = append(fields, &out.Stage, &begun)
	fields = append(fields, attempt...)
	fields = append(fields, instant{&out.EndsAt}, &out.JobsWaiting, &out.JobsRunning, instant{&out.HandedInAt}, &out.Headline)
	if err := r.Scan(fields...); err != nil {
		return out, err
	}
	done()
	if begun {
		out.Attempt = &a
	}
	return out, nil
}
