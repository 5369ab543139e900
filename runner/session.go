package runner

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// State is the directory in which the processes of Assay on this machine know of each other.
type State struct {
	dir string
	id  string
}

// OpenState uses dir, which is created when missing.
func OpenState(dir string) (*State, error) {
	if err := os.MkdirAll(filepath.Join(dir, "sessions"), 0o755); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	id, err := stateID(filepath.Join(dir, "id"))
	if err != nil {
		return nil, err
	}
	return &State{dir: dir, id: id}, nil
}

// ID names this state directory. Objects of an engine carry it, so that a sweep leaves alone what another machine with
// the same engine has made.
func (s *State) ID() string { return s.id }

// stateID reads the id, or makes it. Two processes that start at once agree: the first link wins.
func stateID(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(data))) == 16 {
		return strings.TrimSpace(string(data)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read state id: %w", err)
	}
	seed := make([]byte, 32)
	_, _ = rand.Read(seed) // never fails, by its documentation
	sum := sha256.Sum256(seed)
	tmp, err := os.CreateTemp(filepath.Dir(path), "id-*")
	if err != nil {
		return "", fmt.Errorf("make state id: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, werr := tmp.WriteString(hex.EncodeToString(sum[:8]) + "\n")
	if err := errors.Join(werr, tmp.Close()); err != nil {
		return "", fmt.Errorf("write state id: %w", err)
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("store state id: %w", err)
	}
	if data, err = os.ReadFile(path); err != nil {
		return "", fmt.Errorf("read state id: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// Session is the life of one process of Assay. As long as it holds its lock, nobody sweeps what it made.
type Session struct {
	ID   string
	file *os.File
	path string
}

// NewSession starts a session. Close it at the end; a crash closes it as well.
func (s *State) NewSession() (*Session, error) {
	raw := make([]byte, 6)
	_, _ = rand.Read(raw)
	id := hex.EncodeToString(raw)
	path := s.lockPath(id)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("make session: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock session: %w", err), f.Close())
	}
	return &Session{ID: id, file: f, path: path}, nil
}

// Close ends the session. Things that still carry its id may be swept from now on.
func (s *Session) Close() error {
	if s == nil || s.file == nil {
		return nil
	}
	err := errors.Join(os.Remove(s.path), s.file.Close())
	s.file = nil
	return err
}

// Alive says whether the process of that session still runs. A session that is not known is dead.
func (s *State) Alive(session string) bool {
	if session == "" || strings.ContainsAny(session, "/\x00") {
		return false
	}
	f, err := os.OpenFile(s.lockPath(session), os.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	defer f.Close()
	// The lock is taken only to look; closing drops it at once.
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// Prune removes the lock files of dead sessions.
func (s *State) Prune() error {
	entries, err := os.ReadDir(filepath.Join(s.dir, "sessions"))
	if err != nil {
		return fmt.Errorf("list sessions: %w", err)
	}
	var errs []error
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".lock")
		if !ok || s.Alive(id) {
			continue
		}
		if err := os.Remove(s.lockPath(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s *State) lockPath(id string) string {
	return filepath.Join(s.dir, "sessions", id+".lock")
}
