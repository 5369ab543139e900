package platform

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
)

// OrgID is an organisation's id. It has a type of its own so that it cannot be mistaken for the id of what belongs to it.
type OrgID string

// ID is the id of anything else, e.g. "att_01jd7…": a kind, and 26 characters that sort by the time they were made and
// hold 80 random bits. Nobody guesses one, yet knowing one is no right to anything.
type ID string

// Kind is what an id begins with.
type Kind string

// The kinds.
const (
	KindOrg        Kind = "org"
	KindUser       Kind = "usr"
	KindAssessment Kind = "asm"
	KindCandidate  Kind = "can"
	KindInvitation Kind = "inv"
	KindAttempt    Kind = "att"
	KindExtension  Kind = "ext"
	KindPause      Kind = "pau"
	KindSubmission Kind = "sub"
	KindJob        Kind = "job"
	KindResult     Kind = "res"
	KindDecision   Kind = "dec"
	KindToken      Kind = "tok"
	KindEndpoint   Kind = "whe"
	KindDelivery   Kind = "whd"
	KindEvent      Kind = "evt"
	KindMail       Kind = "eml"
	KindAudit      Kind = "aud"
	KindWorker     Kind = "wrk"
	KindStatistic  Kind = "sta"
)

// alphabet is Crockford's: it sorts like the bytes it encodes, and has no letters that look alike.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// NewID makes an id of a kind at a time.
func NewID(kind Kind, at time.Time) ID {
	var raw [16]byte
	ms := at.UnixMilli()
	for i := range 6 {
		raw[i] = byte(ms >> (8 * (5 - i)))
	}
	_, _ = rand.Read(raw[6:]) // never fails: it ends the program when the system has no randomness
	return encodeID(kind, raw)
}

// NewTimelessID makes an id that does not tell when it was made: 128 random bits.
func NewTimelessID(kind Kind) ID {
	var raw [16]byte
	_, _ = rand.Read(raw[:])
	return encodeID(kind, raw)
}

func encodeID(kind Kind, raw [16]byte) ID {
	encoding := base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)
	return ID(string(kind) + "_" + encoding.EncodeToString(raw[:]))
}

// NewOrgID makes the id of an organisation.
func NewOrgID(at time.Time) OrgID { return OrgID(NewID(KindOrg, at)) }

// Time is when an event happened, or whatever else has an id of NewID was made, in ms. It is zero for what is no id.
func (id ID) Time() time.Time {
	_, text, _ := strings.Cut(string(id), "_")
	raw, err := base32.NewEncoding(alphabet).WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil || len(raw) != 16 {
		return time.Time{}
	}
	var ms int64
	for _, b := range raw[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms).UTC()
}

// Is says whether the id is of a kind. What comes from outside is asked this before it goes anywhere.
func (id ID) Is(kind Kind) bool {
	text, ok := strings.CutPrefix(string(id), string(kind)+"_")
	if !ok || len(text) != 26 {
		return false
	}
	return strings.Trim(text, alphabet) == ""
}

// plain says whether an id has the signs of one, whatever its kind.
func (id ID) plain() bool {
	return id != "" && len(id) <= 64 && strings.Trim(string(id), "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// Prefixes of tokens, so that people and scanners of leaked secrets know one when they see it.
const (
	InvitationToken = "assay_inv_" // #nosec G101 -- what tokens begin with
	AccessToken     = "assay_api_" // #nosec G101
)

// NewToken makes a secret of 256 random bits. It is shown once; only HashToken of it is stored.
func NewToken(prefix string) string {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	return prefix + base64.RawURLEncoding.EncodeToString(raw[:])
}

// HashToken is what is stored of a token: SHA-256 in hex. A slow hash protects secrets that can be guessed; a token of
// 256 random bits cannot.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
