package service_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
)

func TestSetUpWorksOnce(t *testing.T) {
	b := newBench(t)
	done, err := b.IsSetUp(t.Context())
	require.NoError(t, err)
	require.False(t, done)
	_, err = b.SetUp(t.Context(), service.FirstOwner{Organization: "Acme", Name: "O", Email: "o@x.example", Password: "short"})
	b.requireCode(platform.Invalid, err)
	require.Equal(t, platform.Owner, b.owner().Role())
	_, err = b.SetUp(t.Context(), service.FirstOwner{Organization: "Mine", Name: "M", Email: "m@x.example", Password: password})
	b.requireCode(platform.Conflict, err)
}

func TestSetUpAsksForTheTokenOfTheConsole(t *testing.T) {
	b := newBenchWith(t, "from the console")
	first := service.FirstOwner{Organization: "Acme", Name: "O", Email: "o@x.example", Password: password}
	for _, token := range []string{"", "from the consol", "guessed"} {
		first.Token = token
		_, err := b.SetUp(t.Context(), first)
		b.requireCode(platform.Forbidden, err)
	}
	first.Token = "from the console"
	_, err := b.SetUp(t.Context(), first)
	require.NoError(t, err)
}

func TestWrongPasswordsCostTime(t *testing.T) {
	for name, email := range map[string]string{"an account": "olga@acme.example", "no account": "nobody@acme.example"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.owner()
			var got []string
			try := func(i int) {
				_, err := b.SignIn(t.Context(), fmt.Sprintf("from %d", i), email, "wrong password")
				got = append(got, string(platform.ErrorCode(err)))
			}
			for i := range 6 { // five are free; the sixth is made and costs a second
				try(i)
			}
			try(6)
			b.pass(time.Second)
			try(7)
			b.pass(time.Second)
			try(8)
			b.pass(time.Second)
			try(9)
			wrong, locked := string(platform.Unauthorised), string(platform.RateLimited)
			require.Equal(t, []string{wrong, wrong, wrong, wrong, wrong, wrong, locked, wrong, locked, wrong}, got)
		})
	}
}

func TestTheRightPasswordWhileLockedIsRefusedAndThenTaken(t *testing.T) {
	b := newBench(t)
	b.owner()
	for range 6 {
		_, err := b.SignIn(t.Context(), "a", "olga@acme.example", "wrong password")
		b.requireCode(platform.Unauthorised, err)
	}
	_, err := b.SignIn(t.Context(), "a", "olga@acme.example", password)
	b.requireCode(platform.RateLimited, err)
	b.pass(time.Second)
	session, err := b.SignIn(t.Context(), "a", " OLGA@acme.example", password)
	require.NoError(t, err)
	require.NotEmpty(t, session.Org)
	for range 5 { // it was forgotten
		_, err := b.SignIn(t.Context(), "a", "olga@acme.example", "wrong password")
		b.requireCode(platform.Unauthorised, err)
	}
}

func TestOneAddressCannotTryManyAccounts(t *testing.T) {
	b := newBench(t)
	b.owner()
	for i := range 21 {
		_, err := b.SignIn(t.Context(), "a", fmt.Sprintf("n%d@x.example", i), "wrong password")
		b.requireCode(platform.Unauthorised, err)
	}
	_, err := b.SignIn(t.Context(), "a", "olga@acme.example", password)
	b.requireCode(platform.RateLimited, err)
	_, err = b.SignIn(t.Context(), "b", "olga@acme.example", password)
	require.NoError(t, err)
}

func TestSessionsEnd(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	author := b.member(owner, platform.Author)
	session := service.Session{UserID: author.Identity().ID, Begun: b.clock(), Org: owner.Org()}
	require.NoError(t, b.ChangeMember(t.Context(), owner, session.UserID, platform.Reviewer))
	require.Equal(t, platform.Reviewer, b.user(session).Role(), "a role holds at once")
	require.NoError(t, b.RemoveMember(t.Context(), owner, session.UserID))
	require.Empty(t, b.user(session).Org(), "so does a removal")
	b.pass(time.Second)
	require.NoError(t, b.EndSessions(t.Context(), b.user(session)))
	_, err := b.UserActor(t.Context(), session)
	b.requireCode(platform.Unauthorised, err)
	b.requireCode(platform.Conflict, b.RemoveMember(t.Context(), owner, owner.Identity().ID)) // the last owner
}

// link is the secret of the only mail that waits.
func (b *bench) link(template string) string {
	b.t.Helper()
	var mails []platform.Mail
	require.NoError(b.t, b.store.Tx(b.t.Context(), func(tx *store.Tx) (err error) {
		if mails, err = tx.SystemMailsDue(b.t.Context(), time.Minute, 10); err != nil || len(mails) != 1 {
			return err
		}
		return tx.MailDone(b.t.Context(), mails[0].Org, mails[0].ID)
	}))
	require.Len(b.t, mails, 1)
	m := mails[0]
	require.Equal(b.t, template, m.Template)
	plain, err := sealer{}.Open(m.Sealed, template)
	require.NoError(b.t, err)
	return string(plain)
}

func TestALinkSetsAPasswordOnce(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	b.member(owner, platform.Reviewer)
	token := b.link(service.MailSetPassword)
	const email, next = "reviewer@acme.example", "a new long password"
	_, err := b.SignIn(t.Context(), "a", email, "")
	b.requireCode(platform.Unauthorised, err) // an account without a password opens for none
	b.requireCode(platform.Invalid, b.SetPassword(t.Context(), token, "short"))
	for _, bad := range []string{"", "assay_pwd_", token + "x", strings.Replace(token, "usr_", "usr_0", 1), token[:len(token)-1]} {
		b.requireCode(platform.Gone, b.SetPassword(t.Context(), bad, next))
	}
	require.NoError(t, b.SetPassword(t.Context(), token, next))
	b.requireCode(platform.Gone, b.SetPassword(t.Context(), token, "yet another password"))
	session, err := b.SignIn(t.Context(), "a", email, next)
	require.NoError(t, err)
	b.pass(time.Second)
	fresh, err := b.ChangePassword(t.Context(), b.user(session), "a", next, "an even newer one")
	require.NoError(t, err)
	_, err = b.UserActor(t.Context(), session)
	b.requireCode(platform.Unauthorised, err)
	b.user(fresh)

	b.pass(time.Minute)
	require.NoError(t, b.AskReset(t.Context(), "a", "nobody@acme.example"))
	require.NoError(t, b.AskReset(t.Context(), "a", email))
	token = b.link(service.MailSetPassword)
	b.pass(time.Hour)
	b.requireCode(platform.Gone, b.SetPassword(t.Context(), token, next))
}

func TestSignInThroughAProvider(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	other := b.stranger()
	sign := func(e service.External) (service.Session, error) {
		e.Issuer = "https://id.example"
		return b.SignInExternal(t.Context(), e)
	}
	_, err := sign(service.External{Subject: "1", Email: "olga@acme.example"})
	b.requireCode(platform.Forbidden, err) // not verified
	_, err = sign(service.External{Subject: "1", Email: "who@acme.example", EmailVerified: true})
	b.requireCode(platform.Forbidden, err) // nobody gets an account in this way
	_, err = sign(service.External{Subject: "1", Email: "olga@acme.example", EmailVerified: true, Orgs: []platform.OrgID{other.Org()}})
	b.requireCode(platform.Forbidden, err) // her organisation does not accept it
	session, err := sign(service.External{Subject: "1", Email: "Olga@acme.example", EmailVerified: true, Orgs: []platform.OrgID{owner.Org()}})
	require.NoError(t, err)
	require.Equal(t, owner.Org(), b.user(session).Org())
	again, err := sign(service.External{Subject: "1", Email: "renamed@acme.example"})
	require.NoError(t, err, "from then on the subject counts")
	require.Equal(t, session.UserID, again.UserID)
	_, err = b.ChooseOrg(t.Context(), session, other.Org())
	b.requireCode(platform.NotFound, err)
}

func TestTokens(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	for name, c := range map[string]struct {
		scopes  []platform.Scope
		expires time.Time
	}{
		"no scope":       {nil, b.clock().AddDate(0, 1, 0)},
		"no such scope":  {[]platform.Scope{"everything"}, b.clock().AddDate(0, 1, 0)},
		"twice":          {[]platform.Scope{platform.ScopeResultsRead, platform.ScopeResultsRead}, b.clock().AddDate(0, 1, 0)},
		"never expires":  {[]platform.Scope{platform.ScopeResultsRead}, time.Time{}},
		"lasts too long": {[]platform.Scope{platform.ScopeResultsRead}, b.clock().AddDate(2, 0, 0)},
	} {
		_, _, err := b.CreateToken(t.Context(), owner, "t", c.scopes, c.expires)
		require.Equal(t, platform.Invalid, platform.ErrorCode(err), name)
	}
	made, secret, err := b.CreateToken(t.Context(), owner, "t", []platform.Scope{platform.ScopeResultsRead}, b.clock().Add(time.Hour))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(secret, platform.AccessToken))
	_, err = b.TokenActor(t.Context(), secret)
	require.NoError(t, err)
	list, err := b.Tokens(t.Context(), owner)
	require.NoError(t, err)
	require.Equal(t, b.clock(), list[0].LastUsedAt)
	for _, bad := range []string{"", secret + "x", platform.NewToken(platform.AccessToken)} {
		_, err = b.TokenActor(t.Context(), bad)
		b.requireCode(platform.Unauthorised, err)
	}
	b.pass(time.Hour)
	_, err = b.TokenActor(t.Context(), secret)
	b.requireCode(platform.Unauthorised, err)
	require.NoError(t, b.RevokeToken(t.Context(), owner, made.ID))
}

func TestNamesThatCouldDeceiveAreRefused(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	as := b.assessment(owner, settings())
	for _, name := range []string{
		"Ann\r\nBcc: x@y.example", "Ann\x00", "Ann\u202egnp.exe", "\u2066Ann", "Ann\u2028", strings.Repeat("ä", 300), "Ann\xff",
	} {
		_, err := b.Invite(t.Context(), owner, service.NewInvitations{AssessmentID: as.ID, Invitees: []platform.Invitee{{Name: name}}})
		require.Equal(t, platform.Invalid, platform.ErrorCode(err), "%q", name)
		s := settings()
		s.Name = name
		_, err = b.CreateAssessment(t.Context(), owner, s)
		require.Equal(t, platform.Invalid, platform.ErrorCode(err), "%q", name)
		require.Equal(t, platform.Invalid, platform.ErrorCode(b.ChangeOrganization(t.Context(), owner, name, 10)), "%q", name)
	}
	for _, name := range []string{"O'Brien \"Bob\" <b>", "محمد\u200f علي", "李小龍", "Ægir, Jr.; & Co"} {
		_, err := b.Invite(t.Context(), owner, service.NewInvitations{AssessmentID: as.ID, Invitees: []platform.Invitee{{Name: name}}})
		require.NoError(t, err, name)
	}
}

func TestSettingsThatDoNotFitTheChallenges(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	for name, change := range map[string]func(*platform.Settings){
		"no such challenge": func(s *platform.Settings) { s.Challenges[0].ChallengeID = "nine" },
		"another version":   func(s *platform.Settings) { s.Challenges[0].Version = 2 },
		"no such mode":      func(s *platform.Settings) { s.Mode = "forever" },
		"nor here":          func(s *platform.Settings) { s.Challenges[0].Mode = "forever" },
		"no weight":         func(s *platform.Settings) { s.Challenges[0].Weight = 0 },
		"none":              func(s *platform.Settings) { s.Challenges = nil },
	} {
		s := settings()
		change(&s)
		_, err := b.CreateAssessment(t.Context(), owner, s)
		require.Equal(t, platform.Invalid, platform.ErrorCode(err), name)
	}
}

func TestAListIsTakenWholeOrNotAtAll(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	as := b.assessment(owner, settings())
	in := service.NewInvitations{AssessmentID: as.ID, ByMail: true}
	list := "\ufeffName;EMAIL;extra_percent\nAnn;ann@x.example;\n\"Bob; Jr.\";bob@x.example;25%\n;no address;1\nCy;ann@x.example\nDi;ANN@x.example;x\nEd;ed@x.example;900\nFy\u202e;fy@x.example;0\n"
	_, err := b.InviteList(t.Context(), owner, in, strings.NewReader(list))
	var wrong *service.ListError
	require.ErrorAs(t, err, &wrong)
	b.requireCode(platform.Invalid, err)
	lines := map[int]string{}
	for _, l := range wrong.Lines {
		lines[l.Line] = l.Field
	}
	require.Equal(t, map[int]string{4: "email", 5: "", 6: "extra_percent", 7: "extraPercent", 8: "name"}, lines)
	view, err := b.Assessment(t.Context(), owner, as.ID)
	require.NoError(t, err)
	require.Empty(t, view.Counts, "nobody was invited")

	out, err := b.InviteList(t.Context(), owner, in, strings.NewReader("name,email\nAnn,ann@x.example\nBob,bob@x.example\n"))
	require.NoError(t, err)
	require.Len(t, out, 2)
	out, err = b.InviteList(t.Context(), owner, in, strings.NewReader("email\nann@x.example\ncy@x.example\n"))
	require.NoError(t, err)
	require.Equal(t, store.AlreadyInvited, out[0].Outcome)
	require.Empty(t, out[0].Token)
	require.Equal(t, store.Invited, out[1].Outcome)
}

func TestListsThatCannotBeRead(t *testing.T) {
	for name, text := range map[string]string{
		"empty": " \n", "only a first line": "name\n", "no such column": "name,salary\nA,1\n", "a column twice": "name,name\nA,B\n",
		"nobody in it": "reference\nx\n", "not UTF-8": "name\n\xff\n", "too large": "name\n" + strings.Repeat("a\n", service.MaxListBytes/2),
		"too many": "name\n" + strings.Repeat("a\n", store.MaxInvitees+1), "quotes": "name\n\"a\n",
	} {
		_, err := service.ReadList(strings.NewReader(text))
		require.Equal(t, platform.Invalid, platform.ErrorCode(err), "%s: %v", name, err)
	}
}

func TestAnyListIsReadOrRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := "name,email,extra_percent\n" + rapid.StringOf(rapid.SampledFrom([]rune("a@.,\"\n\r;ä5%= \x00"))).Draw(t, "text")
		got, err := service.ReadList(strings.NewReader(text))
		if err != nil {
			if platform.ErrorCode(err) != platform.Invalid {
				t.Fatalf("%v", err)
			}
			var wrong *service.ListError
			if errors.As(err, &wrong) {
				for _, l := range wrong.Lines {
					if l.Line < 2 || l.Message == "" {
						t.Fatalf("line %d: %q", l.Line, l.Message)
					}
				}
			}
			return
		}
		for _, i := range got {
			if err := i.Validate(); err != nil {
				t.Fatalf("%+v: %v", i, err)
			}
		}
	})
}
