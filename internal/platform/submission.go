package platform

import "time"

// SubmissionKind says what a submission is for.
type SubmissionKind string

// The kinds.
const (
	DryRun SubmissionKind = "dry_run" // to try; any number, never counted
	Final  SubmissionKind = "final"   // what is judged; one for each challenge of an attempt
)

// Valid says whether it is one of the kinds.
func (k SubmissionKind) Valid() bool { return k == DryRun || k == Final }

// Blob names bytes in the blob store.
type Blob struct {
	Key    string // see BlobKey
	Digest string // "sha256:…" of the bytes
	Bytes  int64
}

// BlobKey is where a file of an attempt is kept. Everything of one attempt begins with BlobPrefix, so that erasing it
// is removing a folder.
func BlobKey(org OrgID, attempt ID, name string) string { return BlobPrefix(org, attempt) + name }

// BlobPrefix is what the keys of all files of an attempt begin with.
func BlobPrefix(org OrgID, attempt ID) string {
	return "orgs/" + string(org) + "/attempts/" + string(attempt) + "/"
}

// Submission is something that was handed in for one challenge.
type Submission struct {
	ID               ID
	Org              OrgID
	AttemptID        ID
	CandidateID      ID
	ChallengeID      string
	ChallengeVersion int
	Kind             SubmissionKind
	Archive          Blob
	Intake           Intake
	// ReceivedAt is when its first byte came: an upload that began in time is in time.
	ReceivedAt time.Time
	CreatedAt  time.Time
}

// Intake is what the check at the door found. A refused submission is kept as a line, without bytes, and is not graded.
type Intake struct {
	Accepted bool
	Digest   string // of the unpacked files, as in the report; empty when refused
	Files    int
	Problem  string   // why it was refused, for the candidate
	Notes    []string // what was decided or left out
}

// Bounds of what is kept of an intake.
const (
	MaxIntakeNotes = 50
	MaxNoteBytes   = 2000
)
