package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/seal"
	"github.com/assay-run/assay/internal/platform/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a sender with a receiver, and a clock that the test moves.
type rig struct {
	*Sender
	t      *testing.T
	store  *store.Store
	box    *seal.Box
	org    platform.OrgID
	server *httptest.Server
	secret string

	mu     sync.Mutex
	now    time.Time
	got    []received
	answer http.HandlerFunc // nil: 204
}

type received struct {
	header http.Header
	body   []byte
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func (r *rig) answers(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = h
}

func (r *rig) hits() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received{}, r.got...)
}

func (r *rig) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	r.got = append(r.got, received{q.Header.Clone(), body})
	answer := r.answer
	r.mu.Unlock()
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(w, q)
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// newRig makes a rig whose receiver may be reached.
func newRig(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), secret: NewSecret()}
	r.server = httptest.NewTLSServer(r)
	t.Cleanup(r.server.Close)
	var err error
	r.store, err = store.Open(t.Context(), store.Options{Address: filepath.Join(t.TempDir(), "assay.db"), Now: r.clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.store.Close()) })
	r.box, err = seal.New(bytes.Repeat([]byte{1}, seal.KeyBytes))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(r.server.Certificate())
	o := Options{
		Store: r.store, Opener: r.box, Log: slog.New(slog.DiscardHandler), Allowed: loopback, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		Every: 5 * time.Millisecond, Random: func() float64 { return 0 },
	}
	if change != nil {
		change(&o)
	}
	r.Sender, err = NewSender(o)
	require.NoError(t, err)
	r.tx(func(tx *store.Tx) error {
		org, err := tx.CreateOrganization(t.Context(), "Acme")
		r.org = org.ID
		return err
	})
	return r
}

func (r *rig) tx(do func(*store.Tx) error) {
	r.t.Helper()
	require.NoError(r.t, r.store.Tx(r.t.Context(), do))
}

// endpoint makes one, with the receiver's address unless another is given.
func (r *rig) endpoint(address string) platform.ID {
	r.t.Helper()
	if address == "" {
		address = r.server.URL + "/hook?key=s3cret"
	}
	var e platform.Endpoint
	r.tx(func(tx *store.Tx) (err error) {
		sealed := r.box.Seal(Secrets{}.Rotated(r.secret, tx.Now()).Encode(), SealedFor)
		e, err = tx.CreateEndpoint(r.t.Context(), r.org, platform.Endpoint{URL: address, Events: platform.EventTypes(), SealedSecret: sealed})
		return err
	})
	return e.ID
}

func (r *rig) emit() {
	r.t.Helper()
	r.tx(func(tx *store.Tx) error {
		return tx.Emit(r.t.Context(), r.org, platform.EventGraded, "", json.RawMessage(`{"attemptId":"att_1","score":80.5}`))
	})
}

// deliver sends what is due, and tells how much that was.
func (r *rig) deliver() int {
	r.t.Helper()
	n, err := r.Deliver(r.t.Context())
	require.NoError(r.t, err)
	return n
}

func (r *rig) log(endpoint platform.ID) []platform.Delivery {
	r.t.Helper()
	var list platform.List[platform.Delivery]
	r.tx(func(tx *store.Tx) (err error) {
		list, err = tx.Deliveries(r.t.Context(), r.org, endpoint, platform.Page{})
		return err
	})
	return list.Items
}

func (r *rig) enabled(endpoint platform.ID) bool {
	r.t.Helper()
	var e platform.Endpoint
	r.tx(func(tx *store.Tx) (err error) {
		e, err = tx.Endpoint(r.t.Context(), r.org, endpoint)
		return err
	})
	return e.DisabledAt.IsZero()
}

func TestAnEventArrivesSigned(t *testing.T) {
	r := newRig(t, nil)
	endpoint := r.endpoint("")
	r.emit()
	emitted := r.clock()
	r.pass(1500 * time.Millisecond)
	require.Equal(t, 1, r.deliver())
	require.Zero(t, r.deliver())
	hits := r.hits()
	require.Len(t, hits, 1)
	h := hits[0].header
	d := r.log(endpoint)[0]
	require.Equal(t, string(d.EventID), h.Get("webhook-id"))
	require.Equal(t, "1772442001", h.Get("webhook-timestamp"))
	require.Equal(t, "application/json", h.Get("Content-Type"))
	var body struct {
		Type      string
		Timestamp time.Time
		Data      map[string]any
	}
	require.NoError(t, json.Unmarshal(hits[0].body, &body))
	require.Equal(t, "attempt.graded", body.Type)
	require.Equal(t, emitted, body.Timestamp, "when it happened, not when it was sent")
	require.Equal(t, map[string]any{"attemptId": "att_1", "score": 80.5}, body.Data)
	// Computed here by itself, from the words of the standard.
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.secret, "whsec_"))
	require.NoError(t, err)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(h.Get("webhook-id") + "." + h.Get("webhook-timestamp") + "."))
	mac.Write(hits[0].body)
	require.Equal(t, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)), h.Get("webhook-signature"))
	require.Equal(t, []any{platform.SendDone, 204, 1, ""}, []any{d.State, d.LastStatus, d.Tries, d.LastError})
}

// What fails is tried again on the plan, and given up at its end; an endpoint that has taken nothing meanwhile is disabled.
func TestRetries(t *testing.T) {
	r := newRig(t, nil)
	r.answers(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out\x00 of\norder", http.StatusServiceUnavailable)
	})
	endpoint := r.endpoint("")
	r.emit()
	for i, wait := range waits() {
		require.Equal(t, 1, r.deliver(), "try %d", i+1)
		d := r.log(endpoint)[0]
		require.Equal(t, []any{platform.SendPending, 503, i + 1}, []any{d.State, d.LastStatus, d.Tries})
		require.Equal(t, "The endpoint answered 503: out  of order", d.LastError)
		require.Equal(t, r.clock().Add(wait), d.NextAt)
		r.pass(wait - time.Millisecond)
		require.Zero(t, r.deliver(), "not before its time")
		r.pass(time.Millisecond)
	}
	require.True(t, r.enabled(endpoint))
	require.Equal(t, 1, r.deliver())
	require.Equal(t, platform.SendFailed, r.log(endpoint)[0].State)
	require.Len(t, r.hits(), 10)
	require.Equal(t, r.hits()[0].header.Get("webhook-id"), r.hits()[9].header.Get("webhook-id"), "the same event")
	require.False(t, r.enabled(endpoint), "it has taken nothing in three days")
	var list platform.List[platform.AuditEntry]
	r.tx(func(tx *store.Tx) (err error) {
		list, err = tx.AuditLog(t.Context(), r.org, endpoint, platform.Page{})
		return err
	})
	require.Len(t, list.Items, 1)
	require.Equal(t, "endpoint.disable", list.Items[0].Action)

	r.answers(nil)
	r.pass(48 * time.Hour)
	require.Zero(t, r.deliver(), "what was given up stays so")
	d := r.log(endpoint)[0]
	r.tx(func(tx *store.Tx) error { return tx.EnableEndpoint(t.Context(), r.org, endpoint, true) })
	r.tx(func(tx *store.Tx) error { _, err := tx.Replay(t.Context(), r.org, d.ID); return err })
	require.Equal(t, 1, r.deliver())
	hits := r.hits()
	require.Equal(t, string(d.EventID), hits[10].header.Get("webhook-id"), "a replay is of the same event")
	require.Equal(t, hits[0].body, hits[10].body)
}

func TestAnEndpointThatTakesOthersIsNotDisabled(t *testing.T) {
	r := newRig(t, nil)
	endpoint := r.endpoint("")
	r.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	r.emit()
	all := waits()
	for i, wait := range all {
		require.Equal(t, 1, r.deliver())
		if i < len(all)-1 {
			r.pass(wait)
		}
	}
	r.answers(nil)
	r.emit()
	require.Equal(t, 1, r.deliver())
	r.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	r.pass(all[len(all)-1])
	require.Equal(t, 1, r.deliver())
	require.Equal(t, platform.SendFailed, r.log(endpoint)[1].State)
	require.True(t, r.enabled(endpoint))
}

func TestAnEndpointThatIsGoneIsDisabled(t *testing.T) {
	r := newRig(t, nil)
	r.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	endpoint := r.endpoint("")
	r.emit()
	require.Equal(t, 1, r.deliver())
	require.Equal(t, platform.SendFailed, r.log(endpoint)[0].State)
	require.False(t, r.enabled(endpoint))
}

func TestWaitsAreSpread(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	total := time.Duration(0)
	for i, wait := range waits() {
		low, high := next(now, i+1, 0), next(now, i+1, 0.999)
		require.Equal(t, now.Add(wait), low)
		require.True(t, high.After(low) && !high.After(now.Add(wait+wait/5)))
		total += wait
	}
	require.Zero(t, next(now, len(waits())+1, 0.5))
	require.InDelta(t, 75.6, total.Hours(), 0.1)
}

func TestWhatTheOtherSideSaysIsBounded(t *testing.T) {
	r := newRig(t, nil)
	r.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		for { // until nobody listens
			if _, err := w.Write(bytes.Repeat([]byte("x"), 4096)); err != nil {
				return
			}
		}
	})
	endpoint := r.endpoint("")
	r.emit()
	require.Equal(t, 1, r.deliver())
	require.Equal(t, "The endpoint answered 502: "+strings.Repeat("x", maxExcerpt), r.log(endpoint)[0].LastError)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	r := newRig(t, nil)
	r.answers(func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, "/elsewhere", http.StatusTemporaryRedirect)
	})
	endpoint := r.endpoint("")
	r.emit()
	require.Equal(t, 1, r.deliver())
	require.Len(t, r.hits(), 1)
	d := r.log(endpoint)[0]
	require.Equal(t, 307, d.LastStatus)
	require.Contains(t, d.LastError, "Redirects are not followed")
}

func TestASlowEndpointIsLeft(t *testing.T) {
	r := newRig(t, nil)
	r.client.Timeout = 50 * time.Millisecond
	release := make(chan struct{})
	r.answers(func(http.ResponseWriter, *http.Request) { <-release })
	endpoint := r.endpoint("")
	r.emit()
	require.Equal(t, 1, r.deliver())
	close(release)
	d := r.log(endpoint)[0]
	require.Equal(t, []any{platform.SendPending, 0}, []any{d.State, d.LastStatus})
	require.Contains(t, d.LastError, "no answer")
}

// Neither an address nor a name leads inside, and what is said about it tells nothing of what is there.
func TestNothingIsSentInside(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Allowed = nil })
	at, err := url.Parse(r.server.URL)
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		endpoint := r.endpoint("https://" + host + ":" + at.Port() + "/hook")
		r.emit()
		require.Equal(t, 1, r.deliver())
		d := r.log(endpoint)[0]
		require.Equal(t, []any{platform.SendPending, 0}, []any{d.State, d.LastStatus}, host)
		require.Equal(t, "The address leads into a network that nothing is sent to. Use a public one.", d.LastError, host)
		r.tx(func(tx *store.Tx) error { return tx.EnableEndpoint(t.Context(), r.org, endpoint, false) })
	}
	require.Empty(t, r.hits())
}

// names is a server of names that a test answers for.
type names struct {
	mu      sync.Mutex
	answers [][]netip.Addr // the newest stays
}

// now takes the next answer, and keeps the last.
func (n *names) now() []netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := n.answers[0]
	if len(n.answers) > 1 {
		n.answers = n.answers[1:]
	}
	return out
}

// resolver asks it alone.
func (n *names) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { require.NoError(t, socket.Close()); <-done })
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			read, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := n.answer(buffer[:read]); answer != nil {
				_, _ = socket.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp4", socket.LocalAddr().String())
	}}
}

func (n *names) answer(query []byte) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	q := m.Questions[0]
	if q.Type == dnsmessage.TypeA {
		for _, a := range n.now() {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: a.As4()},
			})
		}
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	return out
}

// A name that means something else by the time when it is dialled leads nowhere, each time anew.
func TestANameThatIsTurnedInside(t *testing.T) {
	outside, inside := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	r := newRig(t, func(o *Options) { o.Allowed = []netip.Prefix{netip.PrefixFrom(outside, 32)} }) // it stands for the world
	at, err := url.Parse(r.server.URL)
	require.NoError(t, err)
	n := &names{answers: [][]netip.Addr{{outside}, {inside}}}
	r.client = newClient(r.opts.Allowed, r.opts.TLS, n.resolver(t))
	endpoint := r.endpoint("https://example.com:" + at.Port() + "/hook")
	r.emit()
	require.Equal(t, 1, r.deliver())
	first := r.log(endpoint)[0]
	require.Equal(t, platform.SendDone, first.State, first.LastError)
	r.emit()
	require.Equal(t, 1, r.deliver())
	d := r.log(endpoint)[0]
	if d.ID == first.ID { // the clock stands, so either may be the newer one
		d = r.log(endpoint)[1]
	}
	require.Equal(t, []any{platform.SendPending, 0}, []any{d.State, d.LastStatus})
	require.Equal(t, "The address leads into a network that nothing is sent to. Use a public one.", d.LastError)
	require.Len(t, r.hits(), 1)

	// Of several addresses only those are dialled that may be.
	n.mu.Lock()
	n.answers = [][]netip.Addr{{inside, outside}}
	n.mu.Unlock()
	r.pass(time.Hour)
	require.Equal(t, 1, r.deliver())
	require.Equal(t, platform.SendDone, r.log(endpoint)[0].State)
	require.Len(t, r.hits(), 2)
}

func TestPlainAddressesAreRefused(t *testing.T) {
	r := newRig(t, nil)
	plain := httptest.NewServer(r)
	defer plain.Close()
	endpoint := r.endpoint(plain.URL)
	r.emit()
	require.Equal(t, 1, r.deliver())
	require.Empty(t, r.hits())
	require.Contains(t, r.log(endpoint)[0].LastError, "https://")
	r.opts.Plain = true
	r.pass(time.Hour)
	require.Equal(t, 1, r.deliver())
	require.Len(t, r.hits(), 1, "unless the installation allows them")
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.32.0.1": true, "2606:4700:4700::1111": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "127.255.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "100.100.100.200": false, "168.63.129.16": false, "192.0.0.192": false,
		"192.0.2.1": false, "198.18.0.1": false, "198.51.100.1": false, "203.0.113.1": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::7f00:1": false, "fe80::1": false, "fe80::1%eth0": false,
		"fc00::1": false, "fd00:ec2::254": false, "fec0::1": false, "ff02::1": false, "64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false,
		"2002:7f00:1::": false, "2001:0:7f00:1::": false, "2001:db8::1": false, "100::1": false,
	} {
		err := reachable(netip.MustParseAddr(address), nil)
		require.Equal(t, want, err == nil, address)
	}
	require.NoError(t, reachable(netip.MustParseAddr("10.1.2.3"), []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}))
	require.Error(t, reachable(netip.MustParseAddr("10.2.2.3"), []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}))
}

func TestTwoSendersSendEachOnce(t *testing.T) {
	r := newRig(t, nil)
	r.endpoint("")
	for range 30 {
		r.emit()
	}
	second, err := NewSender(r.opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, s := range []*Sender{r.Sender, second} {
		all.Go(func() { _ = s.Run(ctx) })
	}
	require.Eventually(t, func() bool { return len(r.hits()) >= 30 }, 20*time.Second, 5*time.Millisecond)
	cancel()
	all.Wait()
	seen := map[string]bool{}
	for _, h := range r.hits() {
		seen[h.header.Get("webhook-id")] = true
	}
	require.Len(t, seen, 30)
	require.Len(t, r.hits(), 30)
}

// A server that ends breaks off a try; that is no failure of the endpoint, and the next server makes it.
func TestATryThatWasBrokenOffCountsNothing(t *testing.T) {
	r := newRig(t, nil)
	endpoint := r.endpoint("")
	ctx, cancel := context.WithCancel(t.Context())
	r.answers(func(_ http.ResponseWriter, q *http.Request) { cancel(); <-q.Context().Done() })
	r.emit()
	_, err := r.Deliver(ctx)
	require.NoError(t, err)
	d := r.log(endpoint)[0]
	require.Equal(t, []any{platform.SendPending, ""}, []any{d.State, d.LastError})
	r.answers(nil)
	r.pass(takeLease)
	require.Equal(t, 1, r.deliver())
	require.Equal(t, platform.SendDone, r.log(endpoint)[0].State)
}
