package scalebench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxAddresses bounds the people: each comes from an address of its own in 127.1.0.0/16, as people do, so that they do not share one
// limit of requests. Only Linux has all of 127.0.0.0/8.
const maxAddresses = 60_000

// person is somebody with a browser.
type person struct {
	*load
	http *http.Client
}

// answerWithin bounds a request.
const answerWithin = time.Minute

func (l *load) person(n int) (*person, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("make browser: %w", err)
	}
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(n>>8), byte(n))}, Timeout: answerWithin}
	return &person{l, &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: from.DialContext, MaxIdleConns: 2},
	}}, nil
}

// put lets everybody work until the time is over, and waits for them.
func (l *load) put(ctx context.Context, archive []byte, begun time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, begun.Add(l.Length))
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	for i, w := range l.people {
		p, err := l.person(i)
		if err != nil {
			return err
		}
		all.Go(func() {
			defer p.http.CloseIdleConnections()
			p.candidate(ctx, w, i, archive, begun)
		})
	}
	for i := range l.Team {
		p, err := l.person(len(l.people) + i)
		if err != nil {
			return err
		}
		all.Go(func() {
			defer p.http.CloseIdleConnections()
			p.member(ctx, i, begun)
		})
	}
	return nil
}

// do makes a request that is due at a time, and counts it; where the answer leads to is empty unless it redirects.
func (p *person) do(ctx context.Context, kind string, due time.Time, r *http.Request) (leads string, ok bool) {
	// A request that was begun is ended also when the time is over.
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerWithin)
	defer cancel()
	out, err := p.http.Do(r.WithContext(asking))
	problem := ""
	if err == nil {
		_, err = io.Copy(io.Discard, out.Body)
		err = errors.Join(err, out.Body.Close())
		leads = out.Header.Get("Location")
		if !statusOK(out.StatusCode) {
			problem = out.Status
		}
	}
	if err != nil {
		problem = err.Error()
	}
	p.tally.add(kind, time.Since(due), problem)
	return leads, problem == ""
}

func (p *person) get(ctx context.Context, kind string, due time.Time, path string) (leads string, ok bool) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, nil)
	if err != nil {
		p.tally.add(kind, 0, err.Error())
		return "", false
	}
	return p.do(ctx, kind, due, r)
}

// await waits until something is due; false when the time is over before.
func await(ctx context.Context, due time.Time) bool {
	if end, ok := ctx.Deadline(); ok && due.After(end) {
		return false
	}
	return pause(ctx, time.Until(due)) == nil
}

// candidate follows the link, then looks at the task now and then, or follows its news, and hands in once. What is due is due at a
// fixed time, however long the answer before it took.
func (p *person) candidate(ctx context.Context, w working, n int, archive []byte, begun time.Time) {
	due := begun.Add(rand.N(p.Poll)) // #nosec G404 -- no secret
	if !await(ctx, due) {
		return
	}
	if _, ok := p.get(ctx, "link", due, "/i/"+w.token); !ok {
		return
	}
	page := "/my/" + string(w.invitation) + "/work/" + challenge
	handIn := due.Add(p.Length/10 + rand.N(p.Length/2)) // #nosec G404 -- no secret
	var stream sync.WaitGroup
	defer stream.Wait()
	streams := n < p.Streams
	if streams {
		stream.Go(func() { p.follow(ctx, "/my/"+string(w.invitation)+"/events") })
	}
	handed := false
	for {
		due = due.Add(p.Poll)
		if !handed && due.After(handIn) {
			if !await(ctx, handIn) {
				return
			}
			handed = true
			p.handIn(ctx, page, n, archive, handIn)
		}
		if !await(ctx, due) {
			return
		}
		if streams && handed {
			if !await(ctx, begun.Add(p.Length)) {
				return
			}
		}
		if !streams {
			if leads, _ := p.get(ctx, "page", due, page); leads != "" {
				page = leads // what was handed in for good shows the result
			}
		}
	}
}

// handIn sends the project: every second candidate for good.
func (p *person) handIn(ctx context.Context, page string, n int, archive []byte, due time.Time) {
	kind, name := "dry_run", "upload, dry run"
	if n%2 == 0 {
		kind, name = "final", "upload, final"
	}
	body, contentType, err := uploadForm(kind, archive)
	if err == nil {
		var r *http.Request
		if r, err = http.NewRequestWithContext(ctx, http.MethodPost, p.base+page+"/submissions", body); err == nil {
			r.Header.Set("Content-Type", contentType)
			p.do(ctx, name, due, r)
			return
		}
	}
	p.tally.add(name, 0, err.Error())
}

func uploadForm(kind string, archive []byte) (body *bytes.Buffer, contentType string, err error) {
	body = &bytes.Buffer{}
	parts := multipart.NewWriter(body)
	file, err := func() (io.Writer, error) {
		if err := errors.Join(parts.WriteField("kind", kind), parts.WriteField("sure", "on")); err != nil {
			return nil, err
		}
		return parts.CreateFormFile("archive", "work.zip")
	}()
	if err != nil {
		return nil, "", fmt.Errorf("make form: %w", err)
	}
	if _, err := file.Write(archive); err != nil {
		return nil, "", fmt.Errorf("make form: %w", err)
	}
	return body, parts.FormDataContentType(), parts.Close()
}

// follow reads a stream of news until the time is over. One that ends before is an error: the load is shorter than a stream lasts.
func (p *person) follow(ctx context.Context, path string) {
	began := time.Now()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, nil)
	if err != nil {
		p.tally.add("stream", 0, err.Error())
		return
	}
	out, err := p.http.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			p.tally.add("stream", time.Since(began), err.Error())
		}
		return
	}
	defer out.Body.Close() // only read
	if !statusOK(out.StatusCode) {
		p.tally.add("stream", time.Since(began), out.Status)
		return
	}
	lines := bufio.NewScanner(out.Body)
	first := true
	for lines.Scan() {
		if first {
			p.tally.add("stream", time.Since(began), "")
			first = false
		}
		if strings.HasPrefix(lines.Text(), "event:") {
			p.tally.event()
		}
	}
	if ctx.Err() == nil {
		p.tally.add("stream", time.Since(began), fmt.Sprintf("it ended: %v", lines.Err()))
	}
}

// member signs in and looks around.
func (p *person) member(ctx context.Context, n int, begun time.Time) {
	due := begun.Add(rand.N(p.Look)) // #nosec G404 -- no secret
	if !await(ctx, due) {
		return
	}
	form := url.Values{"email": {ownerEmail}, "password": {teamPassword}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/sign-in", strings.NewReader(form.Encode()))
	if err != nil {
		p.tally.add("sign-in", 0, err.Error())
		return
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if _, ok := p.do(ctx, "sign-in", due, r); !ok {
		return
	}
	for i := n; ; i++ {
		due = due.Add(p.Look)
		if !await(ctx, due) {
			return
		}
		kind, path := p.dashboard(i)
		if leads, _ := p.get(ctx, kind, due, path); leads != "" {
			p.tally.add(kind, 0, "sent away to "+leads)
		}
	}
}

// dashboard is what somebody of the team looks at next.
func (p *person) dashboard(i int) (kind, path string) {
	as := "/assessments/" + string(p.assessments[i%len(p.assessments)])
	switch i % 5 {
	case 0:
		return "team: home", "/"
	case 1:
		return "team: candidates", as
	case 2:
		return "team: candidates by score", as + "?sort=score"
	case 3:
		return "team: one candidate", "/candidates/" + string(p.people[rand.IntN(len(p.people))].invitation) // #nosec G404 -- no secret
	default:
		return "team: workers", "/workers"
	}
}
