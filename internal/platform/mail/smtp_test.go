package mail

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// server speaks as much SMTP as one mail needs, to one connection after another, and gives each recipient the same answer.
type server struct {
	listener net.Listener
	answer   string
	got      chan string // whole mails
	ended    chan struct{}
}

func newServer(t *testing.T, answer string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{listener: l, answer: answer, got: make(chan string, 10), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.talk(c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-s.ended
	})
	return s
}

func (s *server) talk(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	in := bufio.NewReader(c)
	say := func(line string) { fmt.Fprint(c, line, "\r\n") }
	say("220 here")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.Fields(line + " x")[0]); verb {
		case "RCPT":
			say(s.answer)
		case "DATA":
			say("354 go on")
			var mail strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				mail.WriteString(line)
			}
			s.got <- mail.String()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

func (s *server) sender(t *testing.T) *SMTP {
	t.Helper()
	at := s.listener.Addr().(*net.TCPAddr)
	out, err := NewSMTP(SMTPOptions{Host: "127.0.0.1", Port: at.Port, Plain: true, Timeout: 10 * time.Second})
	require.NoError(t, err)
	return out
}

func TestSMTP(t *testing.T) {
	s := newServer(t, "250 fine")
	m := message("Ann\r\nBcc: evil@x.example", "Hello\nWorld")
	m.Body = "one\n.\ntwo"
	require.NoError(t, s.sender(t).Send(t.Context(), m))
	got := <-s.got
	require.Contains(t, got, "Subject: Hello World\r\n")
	require.NotContains(t, got, "\nBcc")
	require.Contains(t, got, "one\r\n..\r\ntwo", "a line with a dot does not end the mail")
}

func TestWhatAMailServerRefuses(t *testing.T) {
	for _, c := range []struct {
		answer    string
		permanent bool
	}{{"550 5.1.1 <ann@x.example> is unknown", true}, {"451 4.3.0 <ann@x.example> later", false}} {
		err := newServer(t, c.answer).sender(t).Send(t.Context(), message("Ann", "s"))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "ann@x.example", "an address does not go into the database of errors")
		require.Contains(t, err.Error(), c.answer[:3])
		if c.permanent {
			require.ErrorIs(t, err, ErrPermanent)
		} else {
			require.NotErrorIs(t, err, ErrPermanent)
		}
	}
}

func TestAMailServerThatIsNotThereIsTriedAgain(t *testing.T) {
	s := newServer(t, "250 fine")
	sender := s.sender(t)
	require.NoError(t, s.listener.Close())
	err := sender.Send(t.Context(), message("Ann", "s"))
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrPermanent)
}
