package grading

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/assay-run/assay/internal/evidence"
)

const (
	seedBytes = 32
	saltBytes = 16
)

// commit binds a grading to its seed before anything runs: the commitment can be shown at once, and seed and salt prove
// afterwards that the data was not chosen to suit somebody.
func commit(seed, salt []byte) evidence.Seed {
	sum := sha256.Sum256(append(append([]byte{}, salt...), seed...))
	return evidence.Seed{
		Commitment: "sha256:" + hex.EncodeToString(sum[:]),
		Value:      hex.EncodeToString(seed),
		Salt:       hex.EncodeToString(salt),
	}
}

// scenarioSeed derives the data seed of a scenario. Every attempt has other data, all of it bound by one commitment;
// within an attempt reference, candidate and control work on the same.
func scenarioSeed(seed []byte, attempt int, scenario string) []byte {
	if attempt > 0 {
		seed = derive(seed, fmt.Sprintf("attempt %d", attempt))
	}
	return derive(seed, scenario)
}

func derive(key []byte, label string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, label) // a hash never fails to write
	return mac.Sum(nil)
}
