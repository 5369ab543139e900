package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

type stage struct {
	*Server
	log    *Log
	client *http.Client
}

func start(t *testing.T, o Options) *stage {
	t.Helper()
	if o.Log == nil {
		o.Log = NewLog(time.Now())
	}
	if o.Name == "" {
		o.Name = "recs"
	}
	s, err := Start(o)
	require.NoError(t, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Close()
	})
	return &stage{Server: s, log: o.Log, client: &http.Client{Transport: transport}}
}

// ask makes one call and returns the status, the body as far as it came, and how it failed.
func (s *stage) ask(t *testing.T, method, path, body string, within time.Duration) (int, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("X-Request-Id", "id-"+path)
	resp, err := s.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// settled waits until every call of the log has ended.
func (s *stage) settled(t *testing.T, n int) []Call {
	t.Helper()
	require.Eventually(t, func() bool {
		calls, _ := s.log.Calls()
		open := 0
		for _, c := range calls {
			if c.How == Open {
				open++
			}
		}
		return len(calls) >= n && open == 0
	}, 10*time.Second, ms)
	calls, lost := s.log.Calls()
	assert.Zero(t, lost)
	require.Len(t, calls, n)
	return calls
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	s := start(t, Options{
		Keep: []string{"X-Request-Id"}, KeepBody: 4,
		Answer: func(c Call) []byte { return []byte("for " + c.Path + c.Body) },
		Rules: []Rule{
			{Name: "busy", Path: "/busy", Reply: Reply{Status: 503, Header: http.Header{"retry-after": {"2"}}}},
			{Name: "garbage", Path: "/garbage", Reply: Reply{Body: []byte(`{"a":`)}},
			{Name: "posts", Method: "POST", Reply: Reply{Status: 201}},
		},
		Default: Reply{Latency: 30 * ms},
	})
	status, body, err := s.ask(t, "GET", "/x?y=1", "", time.Second)
	require.NoError(t, err)
	assert.Equal(t, 200, status)
	assert.Equal(t, "for /x?y=1", body)
	status, _, err = s.ask(t, "GET", "/busy", "", time.Second)
	require.NoError(t, err)
	assert.Equal(t, 503, status)
	_, body, err = s.ask(t, "GET", "/garbage", "", time.Second)
	require.NoError(t, err)
	assert.Equal(t, `{"a":`, body)
	status, body, err = s.ask(t, "POST", "/p", "123456", time.Second)
	require.NoError(t, err)
	assert.Equal(t, 201, status)
	assert.Equal(t, "for /p1234", body)
	calls := s.settled(t, 4)
	for i, c := range calls {
		assert.Equal(t, [...]any{i + 1, i + 1, "recs", Answered, 1}, [...]any{c.ID, c.Number, c.Upstream, c.How, c.Conn})
		assert.GreaterOrEqual(t, c.Ended, c.Arrived)
	}
	assert.GreaterOrEqual(t, calls[0].Ended-calls[0].Arrived, 30*ms)
	assert.Equal(t, map[string]string{"X-Request-Id": "id-/x?y=1"}, calls[0].Header)
	assert.Equal(t, []string{"", "busy", "garbage", "posts"}, []string{calls[0].Rule, calls[1].Rule, calls[2].Rule, calls[3].Rule})
	assert.Equal(t, []int{200, 503, 200, 201}, []int{calls[0].Status, calls[1].Status, calls[2].Status, calls[3].Status})
	assert.Equal(t, "1234", calls[3].Body)
}

func TestRetryAfterIsSent(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Default: Reply{Status: 429, Header: http.Header{"Retry-After": {"7"}}}})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL(), nil)
	require.NoError(t, err)
	resp, err := s.client.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "7", resp.Header.Get("Retry-After"))
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault Fault
		how   How
		check func(t *testing.T, status int, body string, err error)
	}{
		{Hang, Gone, func(t *testing.T, _ int, _ string, err error) { require.ErrorIs(t, err, context.DeadlineExceeded) }},
		{HangMidway, Gone, func(t *testing.T, status int, body string, err error) {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, 200, status)
			assert.Equal(t, "{", body, "the first half came")
		}},
		{ResetBeforeBody, Reset, func(t *testing.T, _ int, _ string, err error) { require.Error(t, err) }},
		{ResetAfterBody, Reset, func(t *testing.T, _ int, _ string, err error) { require.ErrorIs(t, err, syscall.ECONNRESET) }},
		{ResetMidway, Reset, func(t *testing.T, status int, body string, err error) {
			require.Error(t, err)
			assert.Equal(t, 200, status)
			assert.Equal(t, "{}", body, "the first half came")
		}},
	} {
		t.Run(string(tt.fault), func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{Default: Reply{Fault: tt.fault}, KeepBody: 100})
			status, body, err := s.ask(t, "POST", "/", "the body", 300*ms)
			tt.check(t, status, body, err)
			calls := s.settled(t, 1) // a POST is not asked again by net/http
			assert.Equal(t, tt.how, calls[0].How)
			assert.Zero(t, calls[0].Status)
			want := "the body"
			if tt.fault == ResetBeforeBody {
				want = ""
			}
			assert.Equal(t, want, calls[0].Body)
		})
	}
}

func TestSlowAndHugeAnswers(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Rules: []Rule{
		{Path: "/slow", Reply: Reply{Body: bytes.Repeat([]byte("x"), 101), Slow: 200 * ms}},
		{Path: "/huge", Reply: Reply{Body: []byte("abc"), Fill: 3 << 20}},
	}})
	begin := time.Now()
	_, body, err := s.ask(t, "GET", "/slow", "", 10*time.Second)
	require.NoError(t, err)
	assert.Len(t, body, 101)
	assert.GreaterOrEqual(t, time.Since(begin), 190*ms)
	_, body, err = s.ask(t, "GET", "/huge", "", 20*time.Second)
	require.NoError(t, err)
	assert.Len(t, body, 3<<20)
	assert.Equal(t, "abcabc", body[:6])
	_, _, err = s.ask(t, "GET", "/slow", "", 60*ms)
	require.ErrorIs(t, err, context.DeadlineExceeded, "a time limit has to cover the body")
	calls := s.settled(t, 3)
	assert.Equal(t, Gone, calls[2].How)
}

// TestDown has an upstream that is gone for a while: connections are refused, and those that were open are reset.
func TestDown(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Down: []Window{{150 * ms, 450 * ms}}, Default: Reply{Fault: None}, Rules: []Rule{{Path: "/hang", Reply: Reply{Fault: Hang}}}})
	_, _, err := s.ask(t, "GET", "/", "", time.Second)
	require.NoError(t, err)
	_, _, err = s.ask(t, "POST", "/hang", "x", 5*time.Second) // until it goes down
	require.Error(t, err)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	assert.GreaterOrEqual(t, s.log.now(), 150*ms)
	_, _, err = s.ask(t, "GET", "/", "", time.Second)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.Eventually(t, func() bool {
		_, _, err = s.ask(t, "GET", "/", "", time.Second)
		return err == nil
	}, 5*time.Second, 10*ms)
	assert.GreaterOrEqual(t, s.log.now(), 450*ms)
	calls := s.settled(t, 3)
	assert.Equal(t, []How{Answered, Closed, Answered}, []How{calls[0].How, calls[1].How, calls[2].How})
	conns, lost := s.log.Conns()
	assert.Zero(t, lost)
	assert.GreaterOrEqual(t, len(conns), 2)
	assert.Equal(t, 0, MostOpen(conns, "recs", 300*ms, 400*ms))
	assert.Equal(t, 1, MostOpen(conns, "recs", 0, 100*ms))
}

// TestRulesByTimeAndNumber: the first rule that matches applies.
func TestRulesByTimeAndNumber(t *testing.T) {
	t.Parallel()
	rules := []Rule{
		{Name: "early", To: time.Second, Path: "/a"},
		{Name: "third to fifth", First: 3, Last: 5},
		{Name: "late post", From: 2 * time.Second, Method: "POST"},
	}
	for _, tt := range []struct {
		call Call
		want int
	}{
		{Call{Number: 1, Path: "/a/b", Arrived: 0}, 0},
		{Call{Number: 1, Path: "/b", Arrived: 0}, -1},
		{Call{Number: 3, Path: "/a", Arrived: time.Second}, 1},
		{Call{Number: 5, Path: "/b", Arrived: time.Hour}, 1},
		{Call{Number: 6, Method: "POST", Arrived: 2 * time.Second}, 2},
		{Call{Number: 6, Method: "GET", Arrived: 2 * time.Second}, -1},
	} {
		assert.Equal(t, tt.want, match(rules, nil, &tt.call), "%+v", tt.call)
	}
}

func TestShareIsWhatItSays(t *testing.T) {
	t.Parallel()
	rules := []Rule{{Share: 0.3}}
	const n = 20_000
	failed, pairs, before := 0, 0, false
	for i := range n {
		c := Call{Number: i + 1}
		hit := match(rules, []byte("seed"), &c) == 0
		if hit {
			failed++
		}
		if hit && before {
			pairs++
		}
		before = hit
	}
	// Five standard deviations; the seed is fixed, so this holds always.
	assert.InDelta(t, 0.3*n, failed, 5*65)
	assert.InDelta(t, 0.09*n, pairs, 5*45, "one call says nothing about the next")
}

func TestConnectionsAreCountedAndBounded(t *testing.T) {
	t.Parallel()
	s := start(t, Options{MaxConns: 3, Default: Reply{Fault: Hang}})
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			_, _, err := s.ask(t, "POST", "/", "x", 300*ms)
			assert.Error(t, err)
		})
	}
	wg.Wait()
	s.settled(t, 3)
	require.Eventually(t, func() bool {
		conns, _ := s.log.Conns()
		for _, c := range conns {
			if c.Closed < 0 {
				return false
			}
		}
		return len(conns) == 5
	}, 5*time.Second, ms)
	conns, _ := s.log.Conns()
	assert.Equal(t, 3, MostOpen(conns, "recs", 0, time.Minute))
	assert.Zero(t, MostOpen(conns, "other", 0, time.Minute))
}

func TestTooLargeRequest(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	status, _, err := s.ask(t, "POST", "/", strings.Repeat("x", bodyLimit+1), 10*time.Second)
	if err == nil { // it may be cut while it is still writing
		assert.Equal(t, 413, status)
	}
	calls := s.settled(t, 1)
	assert.Equal(t, 413, calls[0].Status)
}

// TestCloseEndsWhatHangs: nobody is left waiting, and the call is not held against the client.
func TestCloseEndsWhatHangs(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Default: Reply{Fault: Hang}})
	failed := make(chan error, 1)
	go func() {
		_, _, err := s.ask(t, "POST", "/", "x", 30*time.Second)
		failed <- err
	}()
	require.Eventually(t, func() bool { calls, _ := s.log.Calls(); return len(calls) == 1 }, 5*time.Second, ms)
	s.Close()
	err := <-failed
	require.Error(t, err)
	assert.NotErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, Closed, s.settled(t, 1)[0].How)
	var d net.Dialer
	_, err = d.DialContext(t.Context(), "tcp", s.Addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

// TestAllFailAtOnce holds calls that come one after the other until a moment, at which all of them fail, by rules that are set later.
func TestAllFailAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	_, _, err := s.ask(t, "GET", "/", "", time.Second)
	require.NoError(t, err)
	at := s.log.now() + 200*ms
	require.Error(t, s.SetRules([]Rule{{Share: 2}}))
	require.NoError(t, s.SetRules([]Rule{{To: at, Reply: Reply{Status: 500, NotBefore: at}}}))
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			status, _, err := s.ask(t, "GET", "/", "", 10*time.Second)
			assert.NoError(t, err)
			assert.Equal(t, 500, status)
		})
		time.Sleep(10 * ms)
	}
	wg.Wait()
	for _, c := range s.settled(t, 6)[1:] {
		assert.Less(t, c.Arrived, at)
		assert.GreaterOrEqual(t, c.Ended, at)
	}
}

func TestTwoUpstreamsShareALog(t *testing.T) {
	t.Parallel()
	log := NewLog(time.Now())
	a, b := start(t, Options{Name: "a", Log: log}), start(t, Options{Name: "b", Log: log})
	for range 3 {
		_, _, err := a.ask(t, "GET", "/", "", time.Second)
		require.NoError(t, err)
		_, _, err = b.ask(t, "GET", "/", "", time.Second)
		require.NoError(t, err)
	}
	calls := a.settled(t, 6)
	for i, c := range calls {
		assert.Equal(t, i+1, c.ID)
		assert.Equal(t, i/2+1, c.Number)
		assert.Equal(t, []string{"a", "b"}[i%2], c.Upstream)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	log := NewLog(time.Now())
	for _, tt := range []struct {
		name string
		o    Options
		want string
	}{
		{"no log", Options{}, "log"},
		{"bound", Options{Log: log, MaxConns: -1}, "bounds"},
		{"body", Options{Log: log, KeepBody: 1 << 20}, "bounds"},
		{"down", Options{Log: log, Down: []Window{{5, 9}, {7, 12}}}, "ascending"},
		{"time", Options{Log: log, Rules: []Rule{{Name: "x", From: 5, To: 5}}}, `"x"`},
		{"calls", Options{Log: log, Rules: []Rule{{First: 5, Last: 4}}}, "calls"},
		{"share", Options{Log: log, Rules: []Rule{{Share: 1.1}}}, "share"},
		{"status", Options{Log: log, Rules: []Rule{{Reply: Reply{Status: 99}}}}, "status"},
		{"fill", Options{Log: log, Default: Reply{Fill: 1 << 40}}, "default"},
		{"latency", Options{Log: log, Default: Reply{Latency: -1}}, "negative"},
		{"fault", Options{Log: log, Default: Reply{Fault: "explode"}}, "explode"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Start(tt.o)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	l := NewLog(time.Now())
	for range maxCalls + 3 {
		c := Call{}
		l.end(l.begin(&c), &c)
	}
	calls, lost := l.Calls()
	assert.Len(t, calls, maxCalls)
	assert.Equal(t, 3, lost)
	for range maxConns + 2 {
		l.closed(l.opened("a", 1, false))
	}
	conns, lost := l.Conns()
	assert.Len(t, conns, maxConns)
	assert.Equal(t, 2, lost)
}

func TestBrokenRequests(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	var d net.Dialer
	for _, text := range []string{"\x00\x01\x02", "GET / HTTP/9.9\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nshort", "GET " + strings.Repeat("x", 100_000)} {
		nc, err := d.DialContext(t.Context(), "tcp", s.Addr())
		require.NoError(t, err)
		_, err = io.WriteString(nc, text)
		if err != nil {
			assert.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
		}
		require.NoError(t, nc.Close())
	}
	status, _, err := s.ask(t, "GET", "/"+strings.Repeat("y", 500), "", time.Second)
	require.NoError(t, err, "it goes on")
	assert.Equal(t, 200, status)
	for _, c := range s.settled(t, 2) { // in any order: they are of different connections
		if c.Method == http.MethodPost {
			assert.Equal(t, Gone, c.How, "the body never came")
			continue
		}
		assert.Len(t, c.Path, textLimit)
	}
}
