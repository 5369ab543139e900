// Package mail writes the platform's mails and delivers those that wait in the store's outbox: to files, or by SMTP.
package mail

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
)

// Address is whom a mail is from or for.
type Address struct {
	Name  string // may be empty
	Email string
}

// header is the address for a header. Its error does not repeat the address, which does not belong into a log.
func (a Address) header() (*mail.Address, error) {
	odd := func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune(",;<>\"()", r)
	}
	parsed, err := mail.ParseAddress(a.Email)
	if err != nil || parsed.Address != a.Email || strings.ContainsFunc(a.Email, odd) {
		return nil, errors.New("the address is not one that can be sent to")
	}
	// A backslash beside letters beyond ASCII comes out of net/mail in a form that it cannot read itself.
	name := strings.ReplaceAll(headerText(a.Name, maxNameRunes), `\`, "/")
	return &mail.Address{Name: name, Address: a.Email}, nil
}

// Message is a mail, in plain text.
type Message struct {
	// ID makes the Message-ID, so that a mail that is sent twice is known as one.
	ID      string
	From    Address
	To      Address
	Subject string
	Body    string
	Date    time.Time
}

// Bounds of what goes into a header, in characters.
const (
	maxNameRunes    = 100
	maxSubjectRunes = 200
)

// headerText makes a text fit for a header: one line, nothing invisible that turns the direction of text, bounded. Names come from
// lists that anybody may have written.
func headerText(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069':
			return -1
		case unicode.IsControl(r) || unicode.IsSpace(r):
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		text = strings.TrimSpace(string(runes[:most-1])) + "…"
	}
	return text
}

// bodyText is a text whose lines end alike, without control characters.
func bodyText(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(text, "\ufffd"))
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}

// encode makes the mail as it goes over the wire.
func (m Message) encode() (*gomail.Msg, error) {
	from, err := m.From.header()
	if err != nil {
		return nil, fmt.Errorf("write mail: sender: %w", err)
	}
	to, err := m.To.header()
	if err != nil {
		return nil, fmt.Errorf("write mail: %w", err)
	}
	out := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	out.SetAddrHeaderFromMailAddress(gomail.HeaderFrom, from)
	out.SetAddrHeaderFromMailAddress(gomail.HeaderTo, to)
	_, domain, _ := strings.Cut(m.From.Email, "@")
	out.SetMessageIDWithValue(headerText(m.ID, maxNameRunes) + "@" + domain)
	out.SetDateWithValue(m.Date)
	out.SetGenHeader("Auto-Submitted", "auto-generated")
	out.Subject(headerText(m.Subject, maxSubjectRunes))
	out.SetBodyString(gomail.TypeTextPlain, bodyText(m.Body))
	return out, nil
}
