// Package auth recognises people: by password, by an OpenID provider, by the session of a browser. What they may do is
// decided in internal/platform/service.
package auth

import (
	"context"
	"fmt"

	"github.com/alexedwards/argon2id"

	"github.com/assay-run/assay/internal/platform"
)

// Cost is how dear a hash is.
type Cost struct {
	MemoryKiB  uint32
	Iterations uint32
}

// DefaultCost is the second choice of RFC 9106 for machines without much memory, with less parallelism: 64 MiB, 3 passes.
func DefaultCost() Cost { return Cost{MemoryKiB: 64 << 10, Iterations: 3} }

// Passwords hashes passwords with argon2id. It may be used by several goroutines.
type Passwords struct {
	params argon2id.Params
	// slots bounds the hashes at a time, and with them the memory; queue bounds those that wait for it.
	slots, queue chan struct{}
	// decoy is a hash that no password has; comparing with it takes as long as with any other.
	decoy string
}

// waitingFor is how many may wait for each hash that is made.
const waitingFor = 16

// NewPasswords makes one that hashes so many at a time, 1 at least.
func NewPasswords(cost Cost, atOnce int) (*Passwords, error) {
	atOnce = max(atOnce, 1)
	p := &Passwords{
		params: argon2id.Params{Memory: cost.MemoryKiB, Iterations: cost.Iterations, Parallelism: 1, SaltLength: 16, KeyLength: 32},
		slots:  make(chan struct{}, atOnce),
		queue:  make(chan struct{}, atOnce*(1+waitingFor)),
	}
	decoy, err := argon2id.CreateHash(platform.NewToken(""), &p.params)
	if err != nil {
		return nil, fmt.Errorf("hash password: %w", err)
	}
	p.decoy = decoy
	return p, nil
}

// enter waits for its turn. When too many wait already the error is RateLimited.
func (p *Passwords) enter(ctx context.Context) (leave func(), err error) {
	select {
	case p.queue <- struct{}{}:
	default:
		return nil, platform.Errorf(platform.RateLimited, "Too many people sign in at this moment. Try again in a minute.")
	}
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots; <-p.queue }, nil
	case <-ctx.Done():
		<-p.queue
		return nil, fmt.Errorf("wait to hash password: %w", context.Cause(ctx))
	}
}

// Hash hashes a password.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	hash, err := argon2id.CreateHash(password, &p.params)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// Matches compares a password with a hash. An empty hash never matches, and takes as long as any other.
func (p *Passwords) Matches(ctx context.Context, password, hash string) (bool, error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	against := hash
	if hash == "" {
		against = p.decoy
	}
	ok, err := argon2id.ComparePasswordAndHash(password, against)
	if err != nil {
		return false, fmt.Errorf("compare password: %w", err)
	}
	return ok && hash != "", nil
}
