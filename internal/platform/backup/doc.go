// Package backup copies an installation, its database and its files, into one archive while it is in use, and makes an
// installation of such an archive.
//
// An archive is a tar in gzip with these members, in this order:
//
//	backup.json      what it is: version of this format and of the schema, when it was made
//	database.jsonl   all rows of all tables, as they were at one moment
//	files/KEY        every file that these rows name, and what lies beside it
//	erasures.jsonl   what was erased while the files were copied
//	lost.jsonl       named files that were not there
//	SHA256SUMS       the digest of each member above, as sha256sum writes them
//
// Rows are written table by table, each table behind those that it refers to, in words that both databases understand, so that
// what was in SQLite can go on in PostgreSQL. The rows are read first, in one transaction; the files are read afterwards and
// never change, so each one that a row names is there, unless it was erased meanwhile. That is why erasures are read last, and
// done again when the archive is restored.
package backup

import (
	"errors"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// Format is the version of the archive's form.
const Format = 1

// The members.
const (
	headerName   = "backup.json"
	rowsName     = "database.jsonl"
	filesPrefix  = "files/"
	erasuresName = "erasures.jsonl"
	lostName     = "lost.jsonl"
	sumsName     = "SHA256SUMS"
)

// Header says what an archive is.
type Header struct {
	Format int `json:"format"`
	// Schema is the version of the schema that the rows are of.
	Schema int64 `json:"schema"`
	// MadeAt is a moment shortly before the one that the rows are of.
	MadeAt   time.Time `json:"madeAt"`
	Assay    string    `json:"assay"`    // version of the program that wrote it
	Database string    `json:"database"` // "sqlite" or "postgres"; both can be restored into either
	// LeftOut are tables whose rows are not in it.
	LeftOut []string `json:"leftOut"`
}

// LeftOut are the tables whose rows a backup does not have, with the reason.
func LeftOut() map[string]string {
	return map[string]string{
		"sessions": "whoever was signed out since would be signed in again; people sign in anew",
		"workers":  "each worker tells of itself while it runs",
	}
}

// Lost is a named file that an archive does not have as it was named.
type Lost struct {
	Key string `json:"key"`
	Why string `json:"why"` // missing, changed, erased
}

// The reasons.
const (
	missing = "missing" // it was not there
	changed = "changed" // its bytes are not those that were stored
	erased  = "erased"  // while the backup was made
)

// Content counts what is in an archive.
type Content struct {
	Header    Header
	Tables    int
	Rows      int64
	Files     int
	FileBytes int64
	Erasures  []platform.Erasure
	// Lost are files that somebody will miss; those that were erased are not among them.
	Lost []Lost
}

// Progress hears how far long work is; total 0 means that it is not known. It is called from one goroutine.
type Progress func(step string, done, total int64)

// ErrDamaged means that an archive is not as it was written.
var ErrDamaged = errors.New("the archive is damaged")

// ErrNotEmpty means that something is where an installation is to be restored.
var ErrNotEmpty = errors.New("there is something already")

// ErrNewer means that an archive was made by a newer Assay than this one.
var ErrNewer = errors.New("the archive was made by a newer Assay")
