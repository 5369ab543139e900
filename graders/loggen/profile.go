package loggen

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// hourMs is one hour in milliseconds.
const hourMs = int64(time.Hour / time.Millisecond)

// stream returns the random numbers of one purpose: ChaCha8 keyed by HMAC-SHA256(seed, label ‖ index).
func stream(seed []byte, label string, index uint64) *rand.ChaCha8 {
	mac := hmac.New(sha256.New, seed)
	mac.Write([]byte(label))
	mac.Write(binary.BigEndian.AppendUint64(nil, index))
	return rand.NewChaCha8([32]byte(mac.Sum(nil)))
}

// message is a piece of JSON string content with what it decodes to.
type message struct {
	raw   string // as it stands between the quotes
	cps   int64
	utf16 int64
}

// profile is everything about a log that its seed decides, apart from the lines themselves.
type profile struct {
	services []string
	svcTable [1024]uint8 // skewed choice of a service

	start   int64 // ms since 1970, on a full hour
	hours   int   // number of hours spanned
	spanMs  int64
	latency [4096]int32 // quantiles of ms
	scale   []int64     // of a service's latency, in 1/16
	peak    int64       // the largest ms; ties are planted at peak, peak-1 and peak-2

	errorCut uint64 // of 65536
	warnCut  uint64 // of 65536, above errorCut
	// Cumulative shares of line kinds, of 1<<20.
	badCut, blankCut, oddCut, escapeCut, multiCut uint64

	idLen, userLen int
	userPrefix     string

	plain, multi, escaped []message
}

// newProfile derives the profile of a seed.
func newProfile(seed []byte) *profile {
	rng := rand.New(stream(seed, "profile", 0))
	p := &profile{
		services:   serviceNames(rng),
		start:      time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() + rng.Int64N(4*365*24)*hourMs,
		hours:      5 + rng.IntN(200),
		idLen:      12 + rng.IntN(9),
		userLen:    4 + rng.IntN(5),
		userPrefix: []string{"u", "u_", "usr-", "cust:"}[rng.IntN(4)],
	}
	p.spanMs = int64(p.hours) * hourMs
	p.skew(rng)
	p.latencies(rng)
	p.shares(rng)
	p.plain = messages(rng, 512, 18, 52, plainToken)
	p.multi = messages(rng, 256, 16, 48, multiToken)
	p.escaped = messages(rng, 128, 16, 48, escapedToken)
	return p
}

// skew fills the table by which services are chosen: Zipf-like, each service at least once.
func (p *profile) skew(rng *rand.Rand) {
	exponent := 0.6 + 0.8*rng.Float64()
	n := len(p.services)
	weights := make([]float64, n)
	total := 0.0
	for i := range weights {
		weights[i] = math.Pow(float64(i+1), -exponent)
		total += weights[i]
	}
	for i := range p.svcTable {
		at := (float64(i) + 0.5) / float64(len(p.svcTable)) * total
		svc := 0
		for svc < n-1 && at > weights[svc] {
			at -= weights[svc]
			svc++
		}
		p.svcTable[i] = uint8(svc)
	}
	for svc := range n {
		p.svcTable[svc*len(p.svcTable)/n] = uint8(svc)
	}
}

// latencies fills the quantiles of a log-normal distribution, cut well below the planted peak.
func (p *profile) latencies(rng *rand.Rand) {
	p.peak = 30_000 + rng.Int64N(60_000)
	mu, sigma := math.Log(8+60*rng.Float64()), 0.7+0.6*rng.Float64()
	ceiling := float64(p.peak-16) / 64
	for i := range p.latency {
		q := (float64(i) + 0.5) / float64(len(p.latency))
		p.latency[i] = int32(min(math.Exp(mu+sigma*math.Sqrt2*math.Erfinv(2*q-1)), ceiling))
	}
	p.scale = make([]int64, len(p.services))
	for i := range p.scale {
		p.scale[i] = 8 + rng.Int64N(32)
	}
}

// shares draws how often each kind of line comes.
func (p *profile) shares(rng *rand.Rand) {
	between := func(low, high float64) uint64 {
		return uint64((low + (high-low)*rng.Float64()) * (1 << 20))
	}
	p.errorCut = between(0.005, 0.05) >> 4
	p.warnCut = p.errorCut + between(0.03, 0.10)>>4
	// The share of bad lines is drawn on a logarithmic scale: 0.01 % is as likely as 1 %.
	p.badCut = max(1, uint64(math.Exp(math.Log(0.0001)+rng.Float64()*math.Log(200))*(1<<20)))
	p.blankCut = p.badCut + between(0.0001, 0.0005)
	p.oddCut = p.blankCut + between(0.005, 0.03)
	p.escapeCut = p.oddCut + between(0.005, 0.02)
	p.multiCut = p.escapeCut + between(0.02, 0.08)
}

// serviceNames makes 8 to 40 different names.
func serviceNames(rng *rand.Rand) []string {
	n := 8 + rng.IntN(33)
	names := make([]string, 0, n)
	for len(names) < n {
		name := nouns[rng.IntN(len(nouns))]
		switch rng.IntN(3) {
		case 0:
			name += "-" + roles[rng.IntN(len(roles))]
		case 1:
			name += "-" + roles[rng.IntN(len(roles))] + strconv.Itoa(rng.IntN(10))
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// messages makes n texts of tokens; each is low to high bytes long, give or take the last token.
func messages(rng *rand.Rand, n, low, high int, token func(*rand.Rand) message) []message {
	out := make([]message, n)
	var text strings.Builder
	for i := range out {
		m := &out[i]
		text.Reset()
		for want := low + rng.IntN(high-low+1); text.Len() < want; {
			t := token(rng)
			text.WriteString(t.raw)
			text.WriteByte(' ')
			m.cps += t.cps + 1
			m.utf16 += t.utf16 + 1
		}
		m.raw = text.String()
	}
	return out
}

func (m *message) add(o message) {
	m.raw += o.raw
	m.cps += o.cps
	m.utf16 += o.utf16
}

// literal is text that stands for itself in JSON.
func literal(text string) message {
	return message{raw: text, cps: int64(utf8.RuneCountInString(text)), utf16: int64(len(utf16.Encode([]rune(text))))}
}

func plainToken(rng *rand.Rand) message { return literal(words[rng.IntN(len(words))]) }

func multiToken(rng *rand.Rand) message {
	if rng.IntN(3) == 0 {
		return plainToken(rng)
	}
	return literal(foreign[rng.IntN(len(foreign))])
}

func escapedToken(rng *rand.Rand) message {
	if rng.IntN(2) == 0 {
		return plainToken(rng)
	}
	return escapes[rng.IntN(len(escapes))]
}
