package mail

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
)

func encoded(t require.TestingT, m Message) (*mail.Message, string) {
	msg, err := m.encode()
	require.NoError(t, err)
	var raw bytes.Buffer
	_, err = msg.WriteTo(&raw)
	require.NoError(t, err)
	parsed, err := mail.ReadMessage(bytes.NewReader(raw.Bytes()))
	require.NoError(t, err)
	return parsed, raw.String()
}

func message(name, subject string) Message {
	return Message{
		ID: "eml_1", From: Address{Name: "Assay", Email: "assay@acme.example"}, To: Address{Name: name, Email: "ann@x.example"},
		Subject: subject, Body: "Hello", Date: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
	}
}

func TestAnyNameStaysWithinItsHeader(t *testing.T) {
	hostile := rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{
			"Ann\r\nBcc: evil@x.example", "Ann\nSubject: x\n\nbody", `"Ann" <evil@x.example>, b`, "a@b.example", "\u202egnp", "=?utf-8?q?x?=", `\ǅ`, strings.Repeat("ä", 5000),
		}),
	)
	rapid.Check(t, func(t *rapid.T) {
		m := message(hostile.Draw(t, "name"), hostile.Draw(t, "subject"))
		m.From.Name = hostile.Draw(t, "from")
		got, _ := encoded(t, m)
		to, err := got.Header.AddressList("To")
		require.NoError(t, err)
		require.Len(t, to, 1)
		require.Equal(t, "ann@x.example", to[0].Address)
		from, err := got.Header.AddressList("From")
		require.NoError(t, err)
		require.Len(t, from, 1)
		require.Equal(t, "assay@acme.example", from[0].Address)
		require.Empty(t, got.Header["Bcc"])
		require.Empty(t, got.Header["Cc"])
		require.LessOrEqual(t, len(got.Header["Subject"]), 1)
		for key := range got.Header {
			require.Contains(t, []string{"To", "From", "Subject", "Date", "Message-Id", "Mime-Version", "Content-Type", "Content-Transfer-Encoding", "Auto-Submitted"}, key)
		}
	})
}

func TestAddressesThatCouldBeMoreThanOneAreRefused(t *testing.T) {
	for _, a := range []string{"", "a@x.example, b@x.example", "a@x.example\r\nBcc: b@x.example", "<a@x.example>", "a b@x.example", "a"} {
		m := message("Ann", "s")
		m.To.Email = a
		_, err := m.encode()
		require.Error(t, err, "%q", a)
		if a != "" && a != "a" {
			require.NotContains(t, err.Error(), a, "an address does not go into a log")
		}
	}
}

func TestTheWordsOfAMail(t *testing.T) {
	tmpl, err := NewTemplates("https://assay.example/base")
	require.NoError(t, err)
	subject, body, err := tmpl.Write(service.MailInvitation, Words{
		Name: "Ann\nLee", Organization: "Acme\r\nBcc: x", Assessment: "{{.Link}} Backend", Message: "Welcome!\n\nYour personal link:\nhttps://evil.example", Contact: "Robin\nhttps://evil.example", Link: tmpl.Link(service.MailInvitation, "tok"), TimeLimit: "2 h",
	})
	require.NoError(t, err)
	require.Equal(t, "Acme Bcc: x invites you: {{.Link}} Backend", subject)
	require.Contains(t, body, "Hello Ann Lee,\n")
	require.Contains(t, body, "\n> https://evil.example\n", "the team's words are marked as such")
	require.Contains(t, body, "\nhttps://assay.example/base/i/tok\n")
	require.Contains(t, body, "you have 2 h.")
	require.Contains(t, body, "\nQuestions: Robin https://evil.example\n", "one line")
	_, _, err = tmpl.Write("no such mail", Words{})
	require.Error(t, err)
	for _, bad := range []string{"", "assay.example", "ftp://x", "://"} {
		_, err := NewTemplates(bad)
		require.ErrorContains(t, err, "https://assay.example", bad)
	}
}

func TestSpokenTime(t *testing.T) {
	for d, want := range map[time.Duration]string{45 * time.Minute: "45 min", 2 * time.Hour: "2 h", 90 * time.Minute: "1 h 30 min"} {
		require.Equal(t, want, spoken(d))
	}
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "outbox")
	f, err := OpenFiles(dir)
	require.NoError(t, err)
	m := message("Ann", "s")
	m.ID = "../../eml_1"
	require.NoError(t, f.Send(t.Context(), m))
	require.NoError(t, f.Send(t.Context(), m))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, "------eml_1.eml", entries[0].Name())
	info, err := entries[0].Info()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	m.To.Email = "a b@x"
	require.ErrorIs(t, f.Send(t.Context(), m), ErrPermanent)
}

// sender fails as it is told.
type sender struct {
	sent []Message
	err  error
}

func (s *sender) Send(_ context.Context, m Message) error {
	s.sent = append(s.sent, m)
	return s.err
}

type opener struct{}

func (opener) Open(sealed []byte, _ string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, errors.New("nothing is sealed")
	}
	return sealed, nil
}

// post is a courier on a database of its own.
type post struct {
	*Courier
	t       *testing.T
	store   *store.Store
	sender  *sender
	now     time.Time
	org     platform.OrgID
	invited store.InviteResult
}

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{t: t, sender: &sender{}, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return p.now }
	var err error
	p.store, err = store.Open(t.Context(), store.Options{Address: filepath.Join(t.TempDir(), "assay.db"), Now: clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.store.Close()) })
	tmpl, err := NewTemplates("https://assay.example")
	require.NoError(t, err)
	p.Courier, err = NewCourier(Options{
		Store: p.store, Opener: opener{}, Templates: tmpl, Sender: p.sender, From: Address{Email: "assay@acme.example"},
		Log: slog.New(slog.DiscardHandler), Now: clock,
	})
	require.NoError(t, err)
	p.tx(func(tx *store.Tx) error {
		org, err := tx.CreateOrganization(t.Context(), "Acme")
		if err != nil {
			return err
		}
		p.org = org.ID
		as, err := tx.CreateAssessment(t.Context(), org.ID, "usr_1", platform.Settings{
			Name: "Backend", Mode: "standard", Challenges: []platform.AssessmentChallenge{{ChallengeID: "one", Version: 1, Weight: 1}},
			TimeLimit: time.Hour, Attempts: 1, Visible: platform.SeesReport, RetentionDays: 30,
		})
		if err != nil {
			return err
		}
		out, err := tx.Invite(t.Context(), org.ID, store.Invite{
			AssessmentID: as.ID, Invitees: []platform.Invitee{{Name: "Ann", Email: "ann@x.example", ExtraPercent: 50}}, ExpiresAt: p.now.AddDate(0, 0, 7), By: "usr_1",
		})
		if err != nil {
			return err
		}
		p.invited = out[0]
		return nil
	})
	return p
}

func (p *post) tx(do func(*store.Tx) error) {
	p.t.Helper()
	require.NoError(p.t, p.store.Tx(p.t.Context(), do))
}

// put puts the invitation's mail into the outbox.
func (p *post) put() platform.ID {
	p.t.Helper()
	var m platform.Mail
	p.tx(func(tx *store.Tx) (err error) {
		m, err = tx.QueueMail(p.t.Context(), p.org, platform.Mail{
			Template: service.MailInvitation, CandidateID: p.invited.Candidate.ID, InvitationID: p.invited.Invitation.ID, Sealed: []byte(p.invited.Token),
		})
		return err
	})
	return m.ID
}

func (p *post) mail(id platform.ID) platform.Mail {
	p.t.Helper()
	var m platform.Mail
	p.tx(func(tx *store.Tx) (err error) {
		m, err = tx.Mail(p.t.Context(), p.org, id)
		return err
	})
	return m
}

func (p *post) deliver(want int) {
	p.t.Helper()
	n, err := p.Deliver(p.t.Context())
	require.NoError(p.t, err)
	require.Equal(p.t, want, n)
}

func TestAMailIsDeliveredOnceAndItsLinkForgotten(t *testing.T) {
	p := newPost(t)
	id := p.put()
	p.deliver(1)
	p.deliver(0)
	require.Len(t, p.sender.sent, 1)
	m := p.sender.sent[0]
	require.Equal(t, Address{Name: "Ann", Email: "ann@x.example"}, m.To)
	require.Equal(t, "Acme invites you: Backend", m.Subject)
	require.Contains(t, m.Body, "https://assay.example/i/"+p.invited.Token)
	require.Contains(t, m.Body, "1 h 30 min", "with the extra time")
	kept := p.mail(id)
	require.Equal(t, platform.SendDone, kept.State)
	require.Empty(t, kept.Sealed)
}

func TestAMailThatFailsIsTriedAgainAndGivenUp(t *testing.T) {
	p := newPost(t)
	id := p.put()
	p.sender.err = errors.New("no route")
	for n := 1; n <= maxTries; n++ {
		require.Equal(t, platform.SendPending, p.mail(id).State)
		p.deliver(1)
		p.deliver(0)
		p.now = p.now.Add(backoff(n))
	}
	kept := p.mail(id)
	require.Equal(t, platform.SendFailed, kept.State)
	require.Equal(t, "no route", kept.LastError)
	require.Empty(t, kept.Sealed)
	require.Len(t, p.sender.sent, maxTries)
}

func TestMailsThatNothingCanBeDoneFor(t *testing.T) {
	for name, do := range map[string]func(*post, *store.Tx) error{
		"the invitation was taken back": func(p *post, tx *store.Tx) error {
			return tx.RevokeInvitation(p.t.Context(), p.org, p.invited.Invitation.ID)
		},
		"there is no address any more": func(p *post, tx *store.Tx) error {
			return tx.UpdateCandidate(p.t.Context(), p.org, p.invited.Candidate.ID, platform.Invitee{Name: "Ann"})
		},
	} {
		p := newPost(t)
		id := p.put()
		p.tx(func(tx *store.Tx) error { return do(p, tx) })
		p.deliver(1)
		require.Equal(t, platform.SendFailed, p.mail(id).State, name)
		require.Empty(t, p.sender.sent, name)
	}
	p := newPost(t)
	p.put()
	p.tx(func(tx *store.Tx) error { return tx.EraseCandidate(t.Context(), p.org, p.invited.Candidate.ID) })
	p.deliver(0)
	p = newPost(t)
	id := p.put()
	p.sender.err = errors.Join(ErrPermanent, errors.New("no such mailbox"))
	p.deliver(1)
	require.Equal(t, platform.SendFailed, p.mail(id).State)
}

func TestACourierEnds(t *testing.T) {
	p := newPost(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	cancel()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(30 * time.Second):
		t.Fatal("it did not end")
	}
}

func TestAMailServerIsNotTrustedWithAPasswordInPlain(t *testing.T) {
	_, err := NewSMTP(SMTPOptions{Host: "localhost", Plain: true, User: "u", Pass: "p"})
	require.ErrorContains(t, err, "without TLS")
}
