// Package seal encrypts small secrets that must be readable later and may not be read in the database: the link of a mail
// that waits, the key that signs webhooks.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
)

// KeyBytes is how long the installation's key is.
const KeyBytes = 32

// Box seals and opens with AES-256-GCM. It may be used by several goroutines.
type Box struct{ aead cipher.AEAD }

// New makes a box of the installation's key. Whoever has another key opens nothing of it.
func New(key []byte) (*Box, error) {
	derived, err := Derive(key, "seal")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block) // 96 random bits: good for 2^32 secrets
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return &Box{aead}, nil
}

// Derive makes a key for one use of the installation's key, 32 bytes, so that no two uses share one.
func Derive(key []byte, use string) ([]byte, error) {
	if len(key) != KeyBytes {
		return nil, fmt.Errorf("the installation's key has %d bytes, not %d", KeyBytes, len(key))
	}
	out, err := hkdf.Key(sha256.New, key, nil, "assay "+use, KeyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return out, nil
}

// Seal encrypts. What it is for is bound to it: it opens for nothing else.
func (b *Box) Seal(plain []byte, purpose string) []byte {
	return b.aead.Seal(nil, nil, plain, []byte(purpose)) // #nosec G407 -- this one makes its nonce itself
}

// Open decrypts what Seal has made for the same purpose.
func (b *Box) Open(sealed []byte, purpose string) ([]byte, error) {
	plain, err := b.aead.Open(nil, nil, sealed, []byte(purpose))
	if err != nil {
		return nil, errors.New("open sealed secret: it was changed, or sealed with another key or for another purpose")
	}
	return plain, nil
}
