// Package service holds the platform's use cases: what a hiring team, a candidate, a program with a token and the
// installation itself may do. Pages and API are made of these methods and go to the store in no other way.
//
// Each method takes an Actor and belongs to one UseCase. Who may is decided in one place, the table in rules.go, and what
// is written to the audit log is written in the transaction of the deed. Failures that the other side may be told are
// *platform.Error; any other error is our own fault.
package service

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// Enqueuer tells a job engine of a job, in the transaction that stores it. The transaction may be run again, so Enqueue
// acts through tx alone.
type Enqueuer interface {
	Enqueue(ctx context.Context, tx *sql.Tx, job platform.Job) error
}

// Blobs keep files. They are safe for use by several goroutines.
type Blobs interface {
	// Put keeps what r gives, max bytes at most, under a key, whole or not at all.
	Put(ctx context.Context, key string, r io.Reader, max int64) (platform.Blob, error)
	// Open reads a file and tells its size in bytes; the caller closes it.
	Open(ctx context.Context, key string) (io.ReadCloser, int64, error)
	// Delete removes a file. Nothing there is fine.
	Delete(ctx context.Context, key string) error
}

// Passwords hashes passwords slowly, and bounds how many it hashes at a time.
type Passwords interface {
	Hash(ctx context.Context, password string) (string, error)
	// Matches compares a password with a hash. An empty hash never matches, and takes as long as any other.
	Matches(ctx context.Context, password, hash string) (bool, error)
}

// Sealer encrypts what must be readable later and may not be read in the database. What it was sealed for must be named
// to open it.
type Sealer interface {
	Seal(plain []byte, purpose string) []byte
	Open(sealed []byte, purpose string) ([]byte, error)
}

// Options say what a service works with. All but ListFolder, Queue, SetUpToken, Now, TempDir and Intake are needed.
type Options struct {
	Store *store.Store
	Blobs Blobs
	// EraseFolder removes every file whose key begins with a prefix, and tells how many there were.
	EraseFolder func(ctx context.Context, prefix string) (int, error)
	// ListFolder tells of every file whose key begins with a prefix, and when it was stored, until do fails. Nil: files that no row
	// names are not looked for.
	ListFolder func(ctx context.Context, prefix string, do func(key string, at time.Time) error) error
	Queue      Enqueuer // nil: workers look into the store themselves
	Challenges []*challenges.Challenge
	Passwords  Passwords
	Sealer     Sealer
	// ResetKey authenticates links that set a password; 32 bytes.
	ResetKey []byte
	// SetUpToken must be shown by whoever sets the installation up; empty: whoever comes first may.
	SetUpToken string
	Now        func() time.Time
	TempDir    string        // for uploads while they are checked
	Intake     intake.Limits // DefaultLimits unless set
	// PlaceAge is how old may be what people are told of their place in the queue. Who is told a moment after somebody else then costs
	// the database nothing. Zero: it is read for each.
	PlaceAge time.Duration
	// PlainEndpoints lets webhooks go to addresses that begin with http://.
	PlainEndpoints bool
}

// Service is the use cases. It may be used by several goroutines.
type Service struct {
	store       *store.Store
	blobs       Blobs
	queue       Enqueuer
	eraseFolder func(ctx context.Context, prefix string) (int, error)
	listFolder  func(ctx context.Context, prefix string, do func(key string, at time.Time) error) error
	orphans     orphans
	erased      atomic.Bool // somebody was, and the database's files are to be scrubbed
	challenges  map[string]*challenges.Challenge
	passwords   Passwords
	sealer      Sealer
	setUpToken  string
	resetKey    []byte
	now         func() time.Time
	tempDir     string
	intake      intake.Limits
	plain       bool // webhooks may go to http://
	// arriving bounds the uploads that arrive at a time, and uploads those that are checked.
	arriving, uploads chan struct{}
	guard             *guard
	// standing is of the queue.
	standing standing
	rules    map[UseCase]Rule
}

// maxArriving bounds the disk that uploads take while they arrive, maxUploads the disk and the work of those that are checked. Whoever
// comes meanwhile waits.
const (
	maxArriving = 16 // 256 MiB each at most, unless intake says otherwise
	maxUploads  = 4
)

// New makes a service.
func New(o Options) (*Service, error) {
	switch {
	case o.Store == nil || o.Blobs == nil || o.EraseFolder == nil || o.Passwords == nil || o.Sealer == nil:
		return nil, errors.New("make service: it needs store, blobs, a way to erase them, passwords and sealer")
	case len(o.ResetKey) != 32:
		return nil, errors.New("make service: the key of links that set a password has 32 bytes")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Intake == (intake.Limits{}) {
		o.Intake = intake.DefaultLimits()
	}
	byID := map[string]*challenges.Challenge{}
	for _, c := range o.Challenges {
		byID[c.ID] = c
	}
	return &Service{
		store: o.Store, blobs: o.Blobs, eraseFolder: o.EraseFolder, listFolder: o.ListFolder, queue: o.Queue, challenges: byID, passwords: o.Passwords, sealer: o.Sealer,
		resetKey: o.ResetKey, setUpToken: o.SetUpToken, now: o.Now, tempDir: o.TempDir, intake: o.Intake,
		plain: o.PlainEndpoints, arriving: make(chan struct{}, maxArriving), uploads: make(chan struct{}, maxUploads),
		guard: newGuard(o.Now), standing: standing{age: o.PlaceAge, now: o.Now}, rules: Rules(),
	}, nil
}

// work is a transaction of a use case.
type work struct {
	*store.Tx
	org   platform.OrgID
	actor Actor
	// invitation is that of a candidate, as it is in this transaction.
	invitation platform.Invitation
	subject    platform.ID
	detail     any
}

// about says what the line of the audit log is about; detail holds ids and figures, no name and no address.
func (w *work) about(subject platform.ID, detail any) { w.subject, w.detail = subject, detail }

// by is the id of who acts, for rows that keep it.
func (w *work) by() platform.ID { return w.actor.Identity().ID }

type joinKey struct{}

// run does a use case in a transaction, when the actor may. It joins the transaction that Once has put into ctx.
func run[T any](ctx context.Context, s *Service, a Actor, u UseCase, do func(*work) (T, error)) (T, error) {
	var out T
	rule, err := s.authorise(a, u)
	if err != nil {
		return out, err
	}
	in := func(tx *store.Tx) error {
		w := &work{Tx: tx, org: a.org, actor: a}
		if err := w.refresh(ctx, u); err != nil {
			return err
		}
		var err error
		if out, err = do(w); err != nil {
			return err
		}
		return w.log(ctx, rule, u)
	}
	switch joined, ok := ctx.Value(joinKey{}).(*store.Tx); {
	case ok:
		err = in(joined)
	case rule.Access == Reads:
		err = s.store.View(ctx, in)
	default:
		err = s.store.Tx(ctx, in)
	}
	if err != nil {
		var none T
		return none, err
	}
	return out, nil
}

// do is run for a use case without a result.
func (s *Service) do(ctx context.Context, a Actor, u UseCase, do func(*work) error) error {
	_, err := run(ctx, s, a, u, func(w *work) (struct{}, error) { return struct{}{}, do(w) })
	return err
}

// refresh looks again at what may have changed since the actor was recognised: an invitation that was taken back.
func (w *work) refresh(ctx context.Context, u UseCase) error {
	if w.actor.kind != platform.ActorCandidate {
		return nil
	}
	i, err := w.Invitation(ctx, w.org, w.actor.invitation)
	if platform.ErrorCode(err) == platform.NotFound {
		return platform.Errorf(platform.Gone, "The data of this invitation were erased.")
	}
	if err != nil {
		return err
	}
	w.invitation = i
	if u == CandidateErase { // the right to that does not end
		return nil
	}
	return i.Usable(w.Now())
}

// log writes the line of the audit log.
func (w *work) log(ctx context.Context, rule Rule, u UseCase) error {
	if rule.Access == Reads || rule.Access == Saves || w.org == "" {
		return nil
	}
	detail := ""
	if w.detail != nil {
		text, err := json.Marshal(w.detail)
		if err != nil {
			return fmt.Errorf("encode detail of audit log: %w", err)
		}
		detail = string(text)
	}
	return w.Audit(ctx, w.org, platform.AuditEntry{
		Actor: w.actor.Identity(), Action: string(u), Subject: w.subject, Detail: detail, RequestID: w.actor.RequestID,
	})
}

// tell tells webhooks of an event. figures hold ids and numbers.
func (w *work) tell(ctx context.Context, t platform.EventType, candidate platform.ID, figures map[string]any) error {
	figures["candidateId"] = candidate
	payload, err := json.Marshal(figures)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return w.Emit(ctx, w.org, t, candidate, payload)
}

// Once does a request that may be sent twice once: do runs in one transaction with the key, and its use cases join it. The
// answer of the first is given to all who come later. It is for what is quick; an upload has its own way, see Upload.
func (s *Service) Once(ctx context.Context, a Actor, scope, key, bodyHash string, do func(context.Context) (platform.Stored, error)) (answer platform.Stored, repeated bool, err error) {
	if a.org == "" {
		return platform.Stored{}, false, platform.Errorf(platform.Unauthorised, "Sign in first.")
	}
	scope = string(a.kind) + ":" + string(a.Identity().ID) + ":" + scope
	err = s.store.Tx(ctx, func(tx *store.Tx) error {
		there, err := tx.Once(ctx, a.org, scope, key, bodyHash)
		if err != nil {
			return err
		}
		if repeated = there != nil; repeated {
			answer = *there
			return nil
		}
		if answer, err = do(context.WithValue(ctx, joinKey{}, tx)); err != nil {
			return err
		}
		return tx.Remember(ctx, a.org, scope, key, answer)
	})
	return answer, repeated, err
}
