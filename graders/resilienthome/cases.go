package resilienthome

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/graders/upstream"
)

// contractCase is one request of which the whole answer is known, with what the services do meanwhile. Cases are asked one after the other.
type contractCase struct {
	ID      string
	Title   string
	Method  string
	Path    string // %s is the user
	Body    string
	Weight  float64
	Replies map[string]upstream.Reply // by service; others are well
	// Once says that only the first call fails.
	Once bool

	want wanted
}

// wanted is what the answer to a case must be.
type wanted struct {
	status []int // one of these
	flags  flags // exactly these, of those that a status below 400 or an error can have
	// service is whose calls are counted, and calls how many there may be; 0 for no bound, -1 for none at all.
	service string
	calls   int
}

const (
	fullPage  = isPage | rightProfile | hasRecs | rightRecs | hasTests | rightTests
	noRecs    = isPage | rightProfile | hasTests | rightTests | saysRecs
	noTests   = isPage | rightProfile | hasRecs | rightRecs | saysTests
	onlyUser  = isPage | rightProfile | saysRecs | saysTests
	forwarded = rightPlay
)

// promptly is within what time a case must be answered: the budget of 800 ms and what a busy machine may add.
const promptly = 1000 * time.Millisecond

// contractCases are asked of a fresh process, in this order.
func contractCases() []contractCase {
	list := slices.Concat([]contractCase{
		{ID: "health", Title: "GET /healthz answers", Path: "/healthz", want: wanted{status: []int{200}}},
		{ID: "unknown-route", Title: "A route that does not exist is 404", Path: "/away/%s", want: wanted{status: []int{404}, flags: isProblem}},
	}, pageCases(), profileCases(), playCases())
	for i := range list {
		c := &list[i]
		if c.Method == "" {
			c.Method = http.MethodGet
		}
		if c.Path == "" {
			c.Path = "/home/%s"
		}
		if c.Weight == 0 {
			c.Weight = 1
		}
	}
	return list
}

// pageCases are about pages that can be made.
func pageCases() []contractCase {
	page := func(f flags) wanted { return wanted{status: []int{200}, flags: f} }
	down := func(service string, r upstream.Reply) map[string]upstream.Reply {
		return map[string]upstream.Reply{service: r}
	}
	half := upstream.Reply{Body: []byte(`{"items":[{"id":"t-`)}
	return []contractCase{
		{ID: "page", Title: "A page with all its parts", want: page(fullPage), Weight: 2},
		{ID: "another-page", Title: "The page of somebody else", want: page(fullPage)},
		{ID: "recs-once", Title: "A single failure of recommendations is made good by another try", Replies: down(recs, broken(500)), Once: true, want: page(fullPage), Weight: 2},
		{ID: "recs-500", Title: "Recommendations fail: the page comes without", Replies: down(recs, broken(500)), want: page(noRecs), Weight: 2},
		{ID: "recs-garbage", Title: "Recommendations are half a document", Replies: down(recs, half), want: page(noRecs)},
		{ID: "recs-other", Title: "Recommendations are of another shape", Replies: down(recs, upstream.Reply{Body: []byte(`{"items":"none today"}`)}), want: page(noRecs)},
		{ID: "recs-midway", Title: "The answer of recommendations is cut off", Replies: down(recs, upstream.Reply{Fault: upstream.ResetMidway}), want: page(noRecs)},
		{ID: "recs-hang", Title: "Recommendations never answer", Replies: down(recs, upstream.Reply{Fault: upstream.Hang}), want: page(noRecs), Weight: 2},
		{ID: "recs-slow", Title: "The answer of recommendations begins at once and takes three seconds", Replies: down(recs, upstream.Reply{Slow: 3 * time.Second}), want: page(noRecs)},
		{ID: "ab-500", Title: "Experiments fail: the page comes without", Replies: down(tests, broken(500)), want: page(noTests)},
		{ID: "ab-garbage", Title: "Experiments are half a document", Replies: down(tests, half), want: page(noTests)},
		{ID: "ab-other", Title: "Experiments are of another shape", Replies: down(tests, upstream.Reply{Body: []byte(`{"experiments":[1,2]}`)}), want: page(noTests)},
		{ID: "both-down", Title: "Recommendations and experiments fail together", Replies: map[string]upstream.Reply{recs: broken(500), tests: broken(503)}, want: page(onlyUser), Weight: 2},
	}
}

// profileCases are about pages that cannot be made.
func profileCases() []contractCase {
	unavailable := wanted{status: []int{502, 503, 504}, flags: isProblem}
	down := func(r upstream.Reply) map[string]upstream.Reply { return map[string]upstream.Reply{profiles: r} }
	return []contractCase{
		{ID: "profile-404", Title: "A user whom nobody knows is 404", Replies: down(broken(404)), want: wanted{status: []int{404}, flags: isProblem}},
		{ID: "profile-500", Title: "No profile, no page", Replies: down(broken(500)), want: unavailable, Weight: 2},
		{ID: "profile-garbage", Title: "A profile that is half a document", Replies: down(upstream.Reply{Body: []byte(`{"user":"`)}), want: unavailable},
		{ID: "profile-hang", Title: "A profile that never comes", Replies: down(upstream.Reply{Fault: upstream.Hang}), want: unavailable},
	}
}

// playCases are about what must be done once.
func playCases() []contractCase {
	const body = `{"title":"t-1234"}`
	one := func(status ...int) wanted {
		return wanted{status: status, flags: isProblem, service: profiles, calls: 1}
	}
	play := func(id, title string, r upstream.Reply) contractCase {
		return contractCase{ID: id, Title: title, Method: http.MethodPost, Path: "/home/%s/plays", Body: body, Replies: map[string]upstream.Reply{profiles: r}, want: one(502, 503, 504)}
	}
	good := contractCase{ID: "play", Title: "A play is passed on, and its answer back", Method: http.MethodPost, Path: "/home/%s/plays", Body: body, Weight: 2}
	good.want = wanted{status: []int{201}, flags: forwarded, service: profiles, calls: 1}
	good.Replies = map[string]upstream.Reply{profiles: {Status: 201}}
	bad := contractCase{ID: "play-broken", Title: "A play that is not JSON is 400, and not passed on", Method: http.MethodPost, Path: "/home/%s/plays", Body: `{"title":`}
	bad.want = wanted{status: []int{400}, flags: isProblem, service: profiles, calls: -1}
	refused := play("play-refused", "A play that is refused is refused", broken(422))
	refused.want = one(422)
	return []contractCase{
		good, bad, refused,
		play("play-500", "A play that fails is tried once", broken(500)),
		play("play-cut", "A play whose answer is cut off is tried once", upstream.Reply{Fault: upstream.ResetAfterBody}),
		play("play-hang", "A play that is never answered is tried once", upstream.Reply{Fault: upstream.Hang}),
	}
}

// judge says what is wrong with the answer to a case, or nothing.
func (c *contractCase) judge(a *answer) string {
	switch {
	case a == nil:
		return "It was not asked: the process had ended, or the time was used up."
	case a.Error != "":
		return "There was no answer: " + a.Error + "."
	case !slices.Contains(c.want.status, a.Status):
		return fmt.Sprintf("Status %d, expected %s.%s", a.Status, either(c.want.status), excerpt(a.Body))
	case a.Ms > float64(promptly.Milliseconds()):
		return fmt.Sprintf("The answer came after %.0f ms; the budget is 800 ms.", a.Ms)
	case c.want.calls == -1 && a.Calls > 0:
		return fmt.Sprintf("It was passed on, %d times.", a.Calls)
	case c.want.calls > 0 && a.Calls != c.want.calls:
		return fmt.Sprintf("It was passed on %d times, expected %d.", a.Calls, c.want.calls)
	}
	missing, beyond := c.want.flags&^a.Flags, a.Flags&^c.want.flags
	if missing|beyond == 0 {
		return ""
	}
	return describe(missing, beyond) + excerpt(a.Body)
}

// describe says in words what an answer lacks, or has beyond what it should.
func describe(missing, beyond flags) string {
	for _, d := range []struct {
		of   flags
		in   flags
		text string
	}{
		{missing, isProblem, "The error is not application/problem+json with status and title."},
		{beyond, wrongStatus, "The status in the problem is another than that of the answer."},
		{missing, rightPlay, "The answer is not that of the service."},
		{missing, isPage, "The answer has not profile, recs, experiments and degraded."},
		{missing, rightProfile, "The profile is not what the service answered for this user and this request."},
		{missing, hasRecs, "Recommendations are missing."},
		{missing, rightRecs, "The recommendations are not what the service answered for this user."},
		{missing, hasTests, "Experiments are missing."},
		{missing, rightTests, "The experiments are not what the service answered for this user and this request."},
		{beyond, hasRecs, "It has recommendations, though the service gave none."},
		{beyond, hasTests, "It has experiments, though the service gave none."},
		{missing, saysRecs, "degraded does not name recs."},
		{missing, saysTests, "degraded does not name experiments."},
		{beyond, saysRecs, "degraded names recs, which are there."},
		{beyond, saysTests, "degraded names experiments, which are there."},
		{beyond, saysOther, "degraded names what is no optional part, or one part twice."},
		{beyond, oldRecs, "The recommendations are from before the request, and the page does not say so."},
		{beyond, saysStale, "The page says stale, though it is not."},
	} {
		if d.of&d.in != 0 {
			return d.text
		}
	}
	return "The answer is not what it must be."
}

func either(list []int) string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = fmt.Sprint(n)
	}
	return strings.Join(texts, " or ")
}

// excerpt quotes the beginning of an answer.
func excerpt(body string) string {
	if body == "" {
		return ""
	}
	return fmt.Sprintf(" The answer begins %q.", signs.Quotable(body[:min(len(body), 120)]))
}
