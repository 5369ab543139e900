package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// consumer speaks to a broker.
type consumer struct {
	t    *testing.T
	b    *Broker
	http *http.Client
}

func start(t *testing.T, o Options) *consumer {
	t.Helper()
	if o.Visibility == 0 {
		o.Visibility = time.Minute
	}
	b, err := Listen(o)
	require.NoError(t, err)
	c := &consumer{t: t, b: b, http: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(func() {
		c.http.CloseIdleConnections()
		require.NoError(t, b.Close())
	})
	return c
}

func (c *consumer) do(method, path, body string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.b.URL()+path, strings.NewReader(body))
	require.NoError(c.t, err)
	resp, err := c.http.Do(req)
	require.NoError(c.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return resp.StatusCode, strings.TrimSpace(string(text))
}

func (c *consumer) lease(query string) []Delivery {
	c.t.Helper()
	status, text := c.do(http.MethodGet, "/lease?"+query, "")
	require.Equal(c.t, http.StatusOK, status, text)
	var list []Delivery
	require.NoError(c.t, json.Unmarshal([]byte(text), &list))
	return list
}

func messages(n int) []Message {
	var list []Message
	for i := range n {
		list = append(list, Message{ID: fmt.Sprint("m", i), Key: fmt.Sprint("k", i%3), N: 1 + i/3, Body: json.RawMessage(`{"delta":1}`)})
	}
	return list
}

func TestContract(t *testing.T) {
	t.Parallel()
	c := start(t, Options{})
	assert.Empty(t, c.lease("max=5"))
	require.NoError(t, c.b.Publish(messages(6)...))
	first := c.lease("max=3")
	require.Len(t, first, 3)
	assert.JSONEq(t, `{"id":"m0","key":"k0","n":1,"body":{"delta":1},"receipt":"r1","attempt":1}`, encode(t, first[0]))
	second := c.lease("")
	require.Len(t, second, 2, "messages of a key that is leased wait")
	assert.Equal(t, []string{"m0", "m3", "m1"}, []string{first[0].ID, first[1].ID, first[2].ID}, "key by key")
	assert.Equal(t, []string{"m2", "m5"}, []string{second[0].ID, second[1].ID})

	status, text := c.do(http.MethodPost, "/ack", `{"receipts":["r1","r99"]}`)
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"expired":["r99"]}`, text)
	status, _ = c.do(http.MethodPost, "/extend", `{"receipts":["r2"]}`)
	assert.Equal(t, http.StatusOK, status)
	status, text = c.do(http.MethodPost, "/dead", `{"receipt":"r3","reason":"bad"}`)
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"expired":[]}`, text)
	for _, bad := range [][3]string{
		{"GET", "/lease?max=0", ""}, {"GET", "/lease?max=x", ""}, {"GET", "/lease?waitMs=-1", ""},
		{"POST", "/ack", "{}"}, {"POST", "/ack", "nonsense"}, {"POST", "/dead", "[]"}, {"POST", "/extend", `{"receipts":[]}`},
	} {
		status, _ := c.do(bad[0], bad[1], bad[2])
		assert.Equal(t, http.StatusBadRequest, status, bad)
	}
	got := c.b.Counts()
	assert.Equal(t, Counts{
		Leases: 3, Empty: 1, Deliveries: 5, Acks: 1, Acked: 1, Extended: 1, Dead: 1, Late: 1, Bad: 7, LeasedMax: 5,
	}, got)
	assert.Equal(t, 4, c.b.Open())
}

func encode(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}

func TestLongPoll(t *testing.T) {
	t.Parallel()
	c := start(t, Options{Visibility: 300 * time.Millisecond})
	came := make(chan []Delivery, 1)
	go func() { came <- c.lease("waitMs=20000") }()
	require.Eventually(t, func() bool { return c.b.Counts().Leases == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, c.b.Publish(messages(1)...))
	first := <-came
	require.Len(t, first, 1)
	again := c.lease("waitMs=20000")
	require.Len(t, again, 1, "a lease that has ended wakes who waits")
	assert.Equal(t, 2, again[0].Attempt)
	_, text := c.do(http.MethodPost, "/ack", fmt.Sprintf(`{"receipts":[%q]}`, first[0].Receipt))
	assert.Contains(t, text, first[0].Receipt, "the first receipt counts for nothing any more")
	began := time.Now()
	assert.Empty(t, c.lease("waitMs=50"))
	assert.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
}

// A broker that is away answers later; who asks for one message after another waits for each, and who asks for many waits once.
func TestAway(t *testing.T) {
	t.Parallel()
	const away, n = 20 * time.Millisecond, 5
	c := start(t, Options{Away: away})
	require.NoError(t, c.b.Publish(messages(2*3*n)...))
	began := time.Now()
	for range n {
		list := c.lease("max=1")
		require.Len(t, list, 1)
		status, _ := c.do(http.MethodPost, "/ack", fmt.Sprintf(`{"receipts":[%q]}`, list[0].Receipt))
		require.Equal(t, http.StatusOK, status)
	}
	assert.GreaterOrEqual(t, time.Since(began), 2*n*away)
	began = time.Now()
	assert.Len(t, c.lease("max=20"), 20)
	assert.GreaterOrEqual(t, time.Since(began), away)
	assert.Equal(t, n+1, c.b.Counts().Leases)
}

func TestGoneOnTheWay(t *testing.T) {
	t.Parallel()
	c := start(t, Options{Away: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.b.URL()+"/lease?max=20", http.NoBody)
	require.NoError(t, err)
	_, err = c.http.Do(req) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Zero(t, c.b.Counts().Leases)
}

func TestDuplicatesAndEarlyEnds(t *testing.T) {
	t.Parallel()
	c := start(t, Options{Seed: 3, Duplicates: 1, DuplicateWithin: time.Millisecond, Early: 1, EarlyFrom: 50 * time.Millisecond, EarlyTo: 60 * time.Millisecond})
	require.NoError(t, c.b.Publish(messages(2)...))
	require.Eventually(t, func() bool { return c.b.Counts().Copies == 2 }, 10*time.Second, time.Millisecond)
	seen := map[string]int{}
	for _, d := range c.lease("") {
		seen[d.ID]++
	}
	assert.Equal(t, map[string]int{"m0": 2, "m1": 2}, seen)
	require.Eventually(t, func() bool { return c.b.Counts().Expired == 4 }, 10*time.Second, time.Millisecond)
	c.b.Calm()
	list := c.lease("")
	require.Len(t, list, 4)
	time.Sleep(100 * time.Millisecond) // longer than an early end
	assert.Len(t, c.b.Leased(), 2)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c := start(t, Options{Seed: 5})
	require.NoError(t, c.b.Publish(messages(300)...))
	var list []Delivery
	for range 60 {
		got := c.lease("max=5")
		for _, d := range got {
			status, _ := c.do(http.MethodPost, "/ack", fmt.Sprintf(`{"receipts":[%q]}`, d.Receipt))
			require.Equal(t, http.StatusOK, status)
		}
		list = append(list, got...)
	}
	require.Len(t, list, 300)

	c = start(t, Options{Seed: 5, Errors: 1})
	require.NoError(t, c.b.Publish(messages(300)...))
	status, _ := c.do(http.MethodGet, "/lease", "")
	assert.Equal(t, http.StatusInternalServerError, status)
	assert.Empty(t, c.b.Leased(), "it has given out nothing")
	c.b.mu.Lock()
	c.b.o.Errors = 0
	c.b.mu.Unlock()
	var receipts []string
	for _, d := range c.lease("max=60") {
		receipts = append(receipts, d.Receipt)
	}
	c.b.mu.Lock()
	c.b.o.Errors = 1
	c.b.mu.Unlock()
	for _, r := range receipts {
		status, _ := c.do(http.MethodPost, "/ack", fmt.Sprintf(`{"receipts":[%q]}`, r))
		assert.Equal(t, http.StatusInternalServerError, status)
	}
	acked := c.b.Counts().Acked
	assert.Positive(t, acked)
	assert.Less(t, acked, len(receipts), "about half of what fails has been done")
}

// TestFlood lets nobody have more connections than the broker has room for; the others wait.
func TestFlood(t *testing.T) {
	t.Parallel()
	c := start(t, Options{})
	var conns []net.Conn
	for range maxConns + 50 {
		var d net.Dialer
		nc, err := d.DialContext(t.Context(), "tcp", c.b.addr)
		require.NoError(t, err)
		conns = append(conns, nc)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.b.URL()+"/lease", nil)
	require.NoError(t, err)
	resp, err := c.http.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	require.ErrorIs(t, err, context.DeadlineExceeded)
	for _, nc := range conns {
		require.NoError(t, nc.Close())
	}
	assert.Empty(t, c.lease(""))
}

func TestCatchAck(t *testing.T) {
	t.Parallel()
	for _, apply := range []bool{true, false} {
		t.Run(fmt.Sprint(apply), func(t *testing.T) {
			t.Parallel()
			c := start(t, Options{})
			require.NoError(t, c.b.Publish(messages(3)...))
			list := c.lease("")
			caught := c.b.CatchAck(apply, 1)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			for i := range 2 {
				go func() {
					body := fmt.Sprintf(`{"receipts":[%q]}`, list[i].Receipt)
					req, _ := http.NewRequestWithContext(ctx, http.MethodPost, c.b.URL()+"/ack", strings.NewReader(body))
					resp, err := c.http.Do(req)
					if err == nil {
						_ = resp.Body.Close()
					}
					ended <- struct{}{}
				}()
				<-caught
			}
			select {
			case <-ended:
				t.Fatal("an ack was answered")
			case <-time.After(100 * time.Millisecond):
			}
			want := 0
			if apply {
				want = 2
			}
			assert.Equal(t, want, c.b.Counts().Acked, "both were carried out, or none")
			cancel() // the consumer is killed
			<-ended
			<-ended
			c.b.Thaw()
			status, _ := c.do(http.MethodPost, "/ack", fmt.Sprintf(`{"receipts":[%q]}`, list[2].Receipt))
			assert.Equal(t, http.StatusOK, status)
			assert.Equal(t, want+1, c.b.Counts().Acked)
		})
	}
}
