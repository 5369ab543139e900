package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// ErrPermanent means that sending the mail again would not help.
var ErrPermanent = errors.New("the mail was refused for good")

// Files writes mails into a folder, one file each, for an installation without a mail server.
type Files struct{ dir string }

// OpenFiles makes the folder when it is missing.
func OpenFiles(dir string) (*Files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for mails: %w", err)
	}
	return &Files{dir: dir}, nil
}

// Send writes a mail. One that was written already is replaced.
func (f *Files) Send(_ context.Context, m Message) error {
	msg, err := m.encode()
	if err != nil {
		return errors.Join(ErrPermanent, err)
	}
	var text bytes.Buffer
	if _, err := msg.WriteTo(&text); err != nil {
		return fmt.Errorf("write mail: %w", err)
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, m.ID)
	path := filepath.Join(f.dir, name+".eml")
	// Whoever looks into the folder sees whole mails only. A mail holds a link that nobody else should follow.
	if err := os.WriteFile(path+".part", text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write mail: %w", err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		return fmt.Errorf("write mail: %w", err)
	}
	return nil
}

// SMTPOptions say which server mails go to.
type SMTPOptions struct {
	Host string
	Port int // 587 unless set; 465 speaks TLS from the beginning
	User string
	Pass string
	// Plain allows a connection without TLS, for a server on the own machine. No password is sent over one.
	Plain   bool
	TLS     *tls.Config   // nil: as usual
	Timeout time.Duration // of a whole delivery's steps; 20 s unless set
}

// SMTP sends mails to a server.
type SMTP struct {
	client *gomail.Client
}

const (
	submissionPort = 587
	tlsPort        = 465
	smtpTimeout    = 20 * time.Second
)

// NewSMTP makes one. It does not connect yet.
func NewSMTP(o SMTPOptions) (*SMTP, error) {
	if o.Port == 0 {
		o.Port = submissionPort
	}
	if o.Timeout <= 0 {
		o.Timeout = smtpTimeout
	}
	if o.Plain && o.User != "" {
		return nil, errors.New("use mail server: a password is not sent without TLS")
	}
	options := []gomail.Option{gomail.WithPort(o.Port), gomail.WithTimeout(o.Timeout), gomail.WithTLSPolicy(gomail.TLSMandatory)}
	switch {
	case o.Plain:
		options[2] = gomail.WithTLSPolicy(gomail.NoTLS)
	case o.Port == tlsPort:
		options = append(options, gomail.WithSSL())
	}
	if o.TLS != nil {
		options = append(options, gomail.WithTLSConfig(o.TLS))
	}
	if o.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(o.User), gomail.WithPassword(o.Pass))
	}
	client, err := gomail.NewClient(o.Host, options...)
	if err != nil {
		return nil, fmt.Errorf("use mail server: %w", err)
	}
	return &SMTP{client: client}, nil
}

// Send delivers a mail to the server.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	msg, err := m.encode()
	if err != nil {
		return errors.Join(ErrPermanent, err)
	}
	err = s.client.DialAndSendWithContext(ctx, msg)
	if err == nil {
		return nil
	}
	// What a server answers may repeat the address: only its code is kept.
	if refused := (*gomail.SendError)(nil); errors.As(err, &refused) && refused.ErrorCode() != 0 {
		told := fmt.Errorf("send mail: the server answered %d", refused.ErrorCode())
		if !refused.IsTemp() && refused.ErrorCode() >= 500 {
			return errors.Join(ErrPermanent, told)
		}
		return told
	}
	return errors.New("send mail: " + strings.ReplaceAll(err.Error(), m.To.Email, "(address)"))
}
