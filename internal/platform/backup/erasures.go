package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// Erasures are all erasures that a database or an archive knows of: what a restored backup that is older must not bring back.
// source is the address of a database, or the name of an archive. Nothing of it is changed.
func Erasures(ctx context.Context, source string, progress Progress) ([]platform.Erasure, error) {
	archive, err := isArchive(source)
	if err != nil {
		return nil, err
	}
	if archive {
		l := &ledger{checker: newChecker()}
		if err := read(ctx, source, "reading erasures", orSilent(progress), l); err != nil {
			return nil, err
		}
		return append(l.found, l.content.Erasures...), nil
	}
	s, err := store.OpenAsIs(ctx, store.Options{Address: source})
	if err != nil {
		return nil, err
	}
	var out []platform.Erasure
	err = s.View(ctx, func(tx *store.Tx) (err error) {
		out, err = tx.SystemErasures(ctx, time.Time{})
		return err
	})
	return out, errors.Join(err, s.Close())
}

// isArchive looks at the first bytes of a file.
func isArchive(source string) (bool, error) {
	if strings.Contains(source, "://") {
		return false, nil
	}
	f, err := os.Open(source)
	if err != nil {
		return false, fmt.Errorf("open source of erasures: %w", err)
	}
	defer f.Close()
	begin := make([]byte, 2)
	if _, err := io.ReadFull(f, begin); err != nil {
		return false, fmt.Errorf("read source of erasures: %w", err)
	}
	return bytes.Equal(begin, []byte{0x1f, 0x8b}), nil // gzip
}

// ledger is a visitor that looks for erasures in the rows of the audit log.
type ledger struct {
	*checker
	found []platform.Erasure
}

func (l *ledger) rows(ctx context.Context, from io.Reader) error {
	_, _, err := readRows(ctx, from, &auditRows{into: &l.found})
	return err
}

func (l *ledger) file(context.Context, string, int64, io.Reader) error { return nil }

// auditRows is a rowReader of the audit log.
type auditRows struct {
	into *[]platform.Erasure
	at   map[string]int // the columns; nil for another table
}

func (a *auditRows) begin(t store.Table) error {
	a.at = nil
	if t.Name == "audit_log" {
		a.at = map[string]int{}
		for i, c := range t.Columns {
			a.at[c.Name] = i
		}
	}
	return nil
}

func (a *auditRows) row(values []any) error {
	if a.at == nil {
		return nil
	}
	text := func(column string) string {
		i, ok := a.at[column]
		if !ok {
			return ""
		}
		v, _ := values[i].(string)
		return v
	}
	at := int64(0)
	if i, ok := a.at["at"]; ok {
		at, _ = values[i].(int64)
	}
	e := platform.AuditEntry{
		Org: platform.OrgID(text("org_id")), At: time.UnixMilli(at).UTC(), Action: text("action"), Subject: platform.ID(text("subject")), Detail: text("detail"),
	}
	if erased, ok := e.Erasure(); ok {
		*a.into = append(*a.into, erased)
	}
	return nil
}

func (a *auditRows) end() error { return nil }
