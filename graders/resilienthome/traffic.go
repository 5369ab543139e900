package resilienthome

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/assay-run/assay/graders/httpload"
)

// regulars is how many users come again and again, and regularShare how many of the pages are theirs.
const (
	regulars     = 20
	regularShare = 0.1
)

// derive makes a seed for one purpose from another.
func derive(seed []byte, purpose string) []byte {
	h := hmac.New(sha256.New, seed)
	_, _ = fmt.Fprint(h, purpose) // never fails
	return h.Sum(nil)
}

// random is a source of numbers for one purpose.
func random(seed []byte, purpose string) *rand.Rand {
	return rand.New(rand.NewChaCha8([32]byte(derive(seed, purpose))))
}

// visit is one request of the load.
type visit struct {
	kind int64
	user string
}

// name is a user that nobody can guess.
func name(seed []byte, purpose string, i int) string {
	h := hmac.New(sha256.New, seed)
	_, _ = fmt.Fprint(h, purpose)
	_ = binary.Write(h, binary.LittleEndian, int64(i)) // never fails
	return "u-" + hex.EncodeToString(h.Sum(nil)[:6])
}

// schedule says when requests of the outages are due.
func schedule(seed []byte, p plan, rate float64) httpload.Schedule {
	return httpload.Schedule{Steps: []httpload.Step{{Rate: rate, For: p.length()}}, Seed: derive(seed, "arrivals")}
}

// visits are the requests of the outages, in order.
func visits(seed []byte, p plan, due []time.Duration) []visit {
	rng := random(seed, "visits")
	list := make([]visit, len(due))
	for i, at := range due {
		a, b, who := rng.Float64(), rng.Float64(), rng.IntN(regulars)
		switch {
		case a < p.at(at).Plays:
			list[i] = visit{isPlay, name(seed, "user ", i)}
		case b < regularShare:
			list[i] = visit{isRegular, name(seed, "regular ", who)}
		default:
			list[i] = visit{isUnique, name(seed, "user ", i)}
		}
	}
	return list
}
