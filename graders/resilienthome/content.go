package resilienthome

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/upstream"
)

// What the services answer. Each answer has a tag that no other one has and that nobody can guess, so that a page shows which calls it is
// made from.
type (
	profileBody struct {
		User string `json:"user"`
		Name string `json:"name"`
		Plan string `json:"plan"`
		Tag  string `json:"tag"`
	}
	rec struct {
		ID    string `json:"id"`
		Title string `json:"title"`
	}
	recsBody struct {
		Items []rec `json:"items"`
	}
	testsBody struct {
		Experiments map[string]string `json:"experiments"`
	}
	playBody struct {
		Play string `json:"play"`
		User string `json:"user"`
	}
)

// origin is the call that a tag is from.
type origin struct {
	service string
	user    string
	id      int
	arrived time.Duration // since the start of the log
}

// content makes answers and knows them again.
type content struct {
	key []byte

	mu   sync.Mutex
	tags map[string]origin // as many as there are calls, which the log bounds
}

func newContent(seed []byte) *content { return &content{key: seed, tags: map[string]origin{}} }

// mostTags bounds the memory of what was answered; beyond it nothing is known again.
const mostTags = 1 << 18

// hash is a piece of text that depends on the seed.
func (c *content) hash(parts ...any) string {
	h := hmac.New(sha256.New, c.key)
	_, _ = fmt.Fprint(h, parts...) // never fails
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// answer is the body of a good answer to a call.
func (c *content) answer(call upstream.Call) []byte {
	user := userOf(call.Path)
	o := origin{service: call.Upstream, user: user, id: call.ID, arrived: call.Arrived}
	tag := c.hash("tag ", call.ID)
	c.mu.Lock()
	if len(c.tags) < mostTags {
		c.tags[tag] = o
	}
	c.mu.Unlock()
	var body any
	switch {
	case strings.HasPrefix(call.Path, "/plays"):
		body = playBody{Play: "p-" + tag, User: playerOf(call.Body)}
	case call.Upstream == profiles:
		body = c.profile(user, tag)
	case call.Upstream == recs:
		body = c.recs(user, tag)
	default:
		body = c.tests(user, tag)
	}
	b, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("resilienthome: %v", err)) // plain text
	}
	return b
}

func (c *content) profile(user, tag string) profileBody {
	return profileBody{User: user, Name: "Viewer " + c.hash("name ", user), Plan: []string{"free", "family", "solo"}[len(c.hash("plan ", user))%3], Tag: tag}
}

func (c *content) recs(user, tag string) recsBody {
	var b recsBody
	for i := range 5 {
		b.Items = append(b.Items, rec{ID: fmt.Sprintf("t-%s-%d", tag, i+1), Title: "Title " + c.hash("title ", user, i)})
	}
	return b
}

func (c *content) tests(user, tag string) testsBody {
	return testsBody{Experiments: map[string]string{"layout": "wide-" + c.hash("layout ", user)[:2], "bucket": tag}}
}

// userOf is the user that a call is about.
func userOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// playerOf is the user in the body of a play.
func playerOf(body string) string {
	var b struct {
		User string `json:"user"`
	}
	if json.Unmarshal([]byte(body), &b) != nil {
		return ""
	}
	return b.User
}

// flags are what a page shows.
type flags int

const (
	isPage       flags = 1 << iota // an object with profile, recs, experiments and degraded of the right types
	rightProfile                   // of this user, as it was answered to a call of this request
	hasRecs                        // recs is not null
	rightRecs                      // as they were answered to a call about this user
	oldRecs                        // that call came before the request
	tooOldRecs                     // and more than 60 s before
	saysStale
	hasTests
	rightTests
	saysRecs    // degraded names recs
	saysTests   // degraded names experiments
	saysOther   // degraded names something else, or one thing twice
	isProblem   // application/problem+json with status and title
	rightPlay   // the answer of a play is the service's
	wrongStatus // the status in the problem is not the answer's
)

// staleFor is how old recommendations may be.
const staleFor = 60 * time.Second

// readPage compares a page with what the services answered. sent is when it was asked for, since the start of the log.
func (c *content) readPage(user string, sent time.Duration, body []byte) flags {
	var p struct {
		Profile     *profileBody       `json:"profile"`
		Recs        *[]rec             `json:"recs"`
		Experiments *map[string]string `json:"experiments"`
		Degraded    *[]string          `json:"degraded"`
		Stale       bool               `json:"stale"`
	}
	var keys map[string]json.RawMessage
	if json.Unmarshal(body, &p) != nil || json.Unmarshal(body, &keys) != nil || p.Profile == nil || p.Degraded == nil {
		return 0
	}
	if keys["recs"] == nil || keys["experiments"] == nil { // null is there, what is missing is not
		return 0
	}
	f := isPage
	if o, ok := c.from(p.Profile.Tag, profiles, user); ok && o.arrived >= sent && *p.Profile == c.profile(user, p.Profile.Tag) {
		f |= rightProfile
	}
	if p.Recs != nil {
		f |= hasRecs | c.readRecs(user, sent, *p.Recs)
	}
	if p.Experiments != nil {
		f |= hasTests
		tag := (*p.Experiments)["bucket"]
		if o, ok := c.from(tag, tests, user); ok && o.arrived >= sent && reflect.DeepEqual(*p.Experiments, c.tests(user, tag).Experiments) {
			f |= rightTests
		}
	}
	if p.Stale {
		f |= saysStale
	}
	return f | readDegraded(*p.Degraded)
}

// readRecs compares recommendations with the call whose tag they have.
func (c *content) readRecs(user string, sent time.Duration, list []rec) flags {
	if len(list) == 0 {
		return 0
	}
	tag := strings.TrimSuffix(strings.TrimPrefix(list[0].ID, "t-"), "-1")
	o, ok := c.from(tag, recs, user)
	if !ok || !reflect.DeepEqual(list, c.recs(user, tag).Items) {
		return 0
	}
	f := rightRecs
	if o.arrived < sent {
		f |= oldRecs
	}
	if o.arrived < sent-staleFor {
		f |= tooOldRecs
	}
	return f
}

func readDegraded(list []string) flags {
	var f flags
	for _, name := range list {
		switch {
		case name == "recs" && f&saysRecs == 0:
			f |= saysRecs
		case name == "experiments" && f&saysTests == 0:
			f |= saysTests
		default:
			f |= saysOther
		}
	}
	return f
}

// from looks up the call of a tag.
func (c *content) from(tag, service, user string) (origin, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, ok := c.tags[tag]
	return o, ok && o.service == service && o.user == user
}

// readPlay compares the answer to a play with the service's.
func (c *content) readPlay(user string, sent time.Duration, body []byte) flags {
	var p playBody
	if json.Unmarshal(body, &p) != nil {
		return 0
	}
	c.mu.Lock()
	o, ok := c.tags[strings.TrimPrefix(p.Play, "p-")]
	c.mu.Unlock()
	if ok && o.service == profiles && o.arrived >= sent && p.User == user {
		return rightPlay
	}
	return 0
}

// readProblem looks at the form of an error.
func readProblem(status int, contentType string, body []byte) flags {
	var p struct {
		Status *float64 `json:"status"`
		Title  *string  `json:"title"`
	}
	if !strings.HasPrefix(contentType, "application/problem+json") || json.Unmarshal(body, &p) != nil || p.Status == nil || p.Title == nil {
		return 0
	}
	if *p.Status != float64(status) {
		return isProblem | wrongStatus
	}
	return isProblem
}
