package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/assay-run/assay/internal/platform"
)

// event is the body of a delivery.
type event struct {
	Type      platform.EventType `json:"type"`
	Timestamp time.Time          `json:"timestamp"` // of the event, not of the try
	Data      json.RawMessage    `json:"data"`
}

// answer is what came of a try.
type answer struct {
	status int    // 0: none
	why    string // it failed; for people
}

func (a answer) taken() bool { return a.status >= 200 && a.status < 300 && a.why == "" }

// try sends a delivery once.
func (s *Sender) try(ctx context.Context, e platform.Endpoint, d platform.Delivery, now time.Time) answer {
	r, err := s.request(ctx, e, d, now)
	if err != nil {
		s.opts.Log.ErrorContext(ctx, "a webhook could not be made", "delivery", string(d.ID), "error", err)
		return answer{why: "This delivery could not be made. It was logged."}
	}
	if r.URL.Scheme != "https" && !s.opts.Plain {
		return answer{why: "The address does not begin with https://."}
	}
	response, err := s.client.Do(r)
	if err != nil {
		return answer{why: plainly(err)}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxExcerpt))
	out := answer{status: response.StatusCode}
	switch {
	case out.taken(): // whatever it says
	case out.status >= 300 && out.status < 400:
		out.why = fmt.Sprintf("The endpoint answered %d. Redirects are not followed: enter the address that it leads to.", out.status)
	case err != nil || len(text) == 0:
		out.why = fmt.Sprintf("The endpoint answered %d.", out.status)
	default:
		out.why = fmt.Sprintf("The endpoint answered %d: %s", out.status, printable(text))
	}
	return out
}

func (s *Sender) request(ctx context.Context, e platform.Endpoint, d platform.Delivery, now time.Time) (*http.Request, error) {
	opened, err := s.opts.Opener.Open(e.SealedSecret, SealedFor)
	if err != nil {
		return nil, err
	}
	secrets, err := DecodeSecrets(opened)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(event{Type: d.Type, Timestamp: d.EventID.Time(), Data: d.Payload})
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	signature, err := secrets.Sign(string(d.EventID), now, body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address of the endpoint cannot be read") // the error would quote it
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "assay-webhooks")
	r.Header.Set("webhook-id", string(d.EventID))
	r.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("webhook-signature", signature)
	return r, nil
}

// plainly says why there was no answer. What the network says in detail stays out of it: it would tell which addresses and
// ports of ours there are.
func plainly(err error) string {
	wrapped := (*url.Error)(nil)
	switch {
	case errors.Is(err, errInside):
		return "The address leads into a network that nothing is sent to. Use a public one."
	case errors.As(err, &wrapped) && wrapped.Timeout():
		return fmt.Sprintf("There was no answer within %d s.", int(wholeTime.Seconds()))
	default:
		return "The endpoint could not be reached, or its certificate is not valid."
	}
}

// printable is an excerpt of an answer on one line.
func printable(text []byte) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(text), " ")))
}
