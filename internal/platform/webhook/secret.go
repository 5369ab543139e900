// Package webhook tells other systems of events: it signs deliveries as Standard Webhooks has it, sends what is due, and
// reaches nothing of our own network.
package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SealedFor is what the secrets of an endpoint are sealed for.
const SealedFor = "webhook"

// Overlap is how long deliveries are signed with the secret before, too, after it was replaced.
const Overlap = 24 * time.Hour

const (
	secretPrefix = "whsec_" // #nosec G101 -- what secrets begin with
	secretBytes  = 32
	maxSecrets   = 3 // of an endpoint at a time
)

// NewSecret makes a secret in the form of Standard Webhooks.
func NewSecret() string {
	var raw [secretBytes]byte
	_, _ = rand.Read(raw[:]) // never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(raw[:])
}

// Secrets are those that sign an endpoint's deliveries, the newest first.
type Secrets []Secret

// Secret is one of them.
type Secret struct {
	Text  string    // whsec_ and base64
	Until time.Time // to the second; zero: until it is replaced
}

// Rotated puts a new secret before the others. The one before is good for Overlap, and those that are no longer good are
// left out.
func (s Secrets) Rotated(text string, now time.Time) Secrets {
	out := Secrets{{Text: text}}
	for _, old := range s.goodAt(now) {
		if old.Until.IsZero() {
			old.Until = now.Add(Overlap).Truncate(time.Second)
		}
		if len(out) < maxSecrets {
			out = append(out, old)
		}
	}
	return out
}

func (s Secrets) goodAt(now time.Time) Secrets {
	var out Secrets
	for _, one := range s {
		if one.Until.IsZero() || now.Before(one.Until) {
			out = append(out, one)
		}
	}
	return out
}

// Encode makes what is sealed: one line a secret, with the end of those that have one.
func (s Secrets) Encode() []byte {
	var out strings.Builder
	for _, one := range s {
		out.WriteString(one.Text)
		if !one.Until.IsZero() {
			fmt.Fprintf(&out, " %d", one.Until.Unix())
		}
		out.WriteByte('\n')
	}
	return []byte(out.String())
}

// DecodeSecrets reads what Encode has made.
func DecodeSecrets(text []byte) (Secrets, error) {
	var out Secrets
	for line := range strings.Lines(string(text)) {
		secret, until, ends := strings.Cut(strings.TrimSpace(line), " ")
		one := Secret{Text: secret}
		if ends {
			at, err := strconv.ParseInt(until, 10, 64)
			if err != nil {
				return nil, errors.New("read secrets of endpoint: the end of one is no time")
			}
			one.Until = time.Unix(at, 0).UTC()
		}
		if _, err := one.key(); err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	if len(out) == 0 {
		return nil, errors.New("read secrets of endpoint: there is none")
	}
	return out, nil
}

func (s Secret) key() ([]byte, error) {
	text, ok := strings.CutPrefix(s.Text, secretPrefix)
	if !ok {
		return nil, errors.New("read secret of endpoint: it does not begin with " + secretPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) == 0 {
		return nil, errors.New("read secret of endpoint: it is not base64") // the error would quote it
	}
	return key, nil
}

// Sign is the header webhook-signature of a delivery: an HMAC-SHA256 over id, time and body, once for each secret that is
// good now, separated by spaces.
func (s Secrets) Sign(id string, now time.Time, body []byte) (string, error) {
	var out []string
	for _, one := range s.goodAt(now) {
		key, err := one.key()
		if err != nil {
			return "", err
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%d.", id, now.Unix())
		mac.Write(body)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if len(out) == 0 {
		return "", errors.New("sign delivery: no secret is good")
	}
	return strings.Join(out, " "), nil
}
