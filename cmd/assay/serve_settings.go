package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/assay-run/assay/internal/platform"
	platformmail "github.com/assay-run/assay/internal/platform/mail"
	"github.com/assay-run/assay/internal/platform/seal"
)

// serveSettings are all settings of `assay serve`.
type serveSettings struct {
	storage
	Listen string
	// URL is the address under which people reach the server, without a slash at its end; empty until it is known where the
	// server listens.
	URL string
	Key []byte // of the installation, seal.KeyBytes
	// SetUpCode must be shown by whoever sets the installation up.
	SetUpCode     string
	MetricsListen string
	Proxies       []netip.Prefix
	Worker        bool // gradings are made in this process
	ToolsDir      string
	SMTP          platformmail.SMTPOptions
	From          platformmail.Address
	OIDC          oidcSettings
	// Webhooks may go into these networks beside the public one, and to http:// where Plain says so.
	WebhookNetworks []netip.Prefix
	WebhookPlain    bool
}

// oidcSettings are those of an OpenID provider; without an issuer there is none.
type oidcSettings struct {
	Issuer, ClientID, ClientSecret, Name string
	Domains                              []string
}

func (s serveSettings) uploads() string { return filepath.Join(s.data, "uploads") }
func (s serveSettings) outbox() string  { return filepath.Join(s.data, "outbox") }

// secure says whether people come by HTTPS.
func (s serveSettings) secure() bool { return strings.HasPrefix(s.URL, "https://") }

// settleURL completes the address under which people reach the server: the one that it listens on, unless it was given.
func (s *serveSettings) settleURL(at net.Addr) {
	if s.URL == "" {
		s.URL = "http://" + at.String()
		if a, err := netip.ParseAddrPort(at.String()); err == nil && a.Addr().IsUnspecified() {
			s.URL = "http://" + net.JoinHostPort("localhost", strconv.Itoa(int(a.Port())))
		}
	}
	if s.From.Email == "" {
		host := "localhost"
		if u, err := url.Parse(s.URL); err == nil && u.Hostname() != "" && net.ParseIP(u.Hostname()) == nil {
			host = u.Hostname()
		}
		s.From = platformmail.Address{Name: "Assay", Email: "assay@" + host}
	}
}

// exposed says whether people come by plain HTTP from other machines.
func (s serveSettings) exposed() bool {
	u, err := url.Parse(s.URL)
	if err != nil || s.secure() || u.Hostname() == "localhost" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err != nil || !ip.IsLoopback()
}

// variables reads settings from the environment, and remembers the first that cannot be read.
type variables struct {
	app *app
	err error
}

// text is a variable; unset and empty are the same.
func (v *variables) text(name, unset string) string {
	if value, _ := v.app.env(name); value != "" {
		return value
	}
	return unset
}

// secret is a variable, or what its file holds.
func (v *variables) secret(name string) string {
	value, err := v.app.secret(name)
	if err != nil {
		v.fail(err)
	}
	return value
}

// yes is a variable that is on or off.
func (v *variables) yes(name string, unset bool) bool {
	switch value := strings.ToLower(v.text(name, "")); value {
	case "":
		return unset
	case "on", "yes", "true", "1":
		return true
	case "off", "no", "false", "0":
		return false
	default:
		v.fail(usagef("Use on or off.", "%s=%q is neither", name, value))
		return unset
	}
}

// list is a variable with parts between commas.
func (v *variables) list(name string) []string {
	var out []string
	for part := range strings.SplitSeq(v.text(name, ""), ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// networks is a variable with networks between commas.
func (v *variables) networks(name string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range v.list(name) {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			v.fail(usagef("Give networks like 10.0.0.0/8, with commas between.", "%s: %q is no network", name, text))
		}
		out = append(out, p)
	}
	return out
}

func (v *variables) port(name string) int {
	text := v.text(name, "")
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		v.fail(usagef("Give a port from 1 to 65535.", "%s=%q is no port", name, text))
	}
	return int(n)
}

func (v *variables) fail(err error) {
	if v.err == nil {
		v.err = err
	}
}

// serveSettings completes the settings from the environment; flags, which are in set, win.
func (a *app) serveSettings(set serveSettings) (serveSettings, error) {
	v := &variables{app: a}
	if err := set.settleServed(a); err != nil {
		return set, err
	}
	set.bucket.TempDir = set.uploads()
	if set.Listen == "" {
		set.Listen = v.text("ASSAY_LISTEN", "127.0.0.1:8080")
	}
	set.MetricsListen = v.text("ASSAY_METRICS_LISTEN", "")
	set.URL = strings.TrimSuffix(v.text("ASSAY_URL", ""), "/")
	set.SetUpCode = v.secret("ASSAY_SETUP_CODE")
	set.Worker = v.yes("ASSAY_WORKER", true)
	set.ToolsDir = v.text("ASSAY_TOOLS_DIR", "")
	set.Proxies = v.networks("ASSAY_PROXIES")
	set.WebhookNetworks, set.WebhookPlain = v.networks("ASSAY_WEBHOOK_NETWORKS"), v.yes("ASSAY_WEBHOOK_PLAIN", false)
	set.SMTP = platformmail.SMTPOptions{
		Host: v.text("ASSAY_SMTP_HOST", ""), Port: v.port("ASSAY_SMTP_PORT"), User: v.text("ASSAY_SMTP_USER", ""),
		Pass: v.secret("ASSAY_SMTP_PASSWORD"), Plain: v.yes("ASSAY_SMTP_PLAIN", false),
	}
	set.OIDC = oidcSettings{
		Issuer: v.text("ASSAY_OIDC_ISSUER", ""), ClientID: v.text("ASSAY_OIDC_CLIENT_ID", ""), ClientSecret: v.secret("ASSAY_OIDC_CLIENT_SECRET"),
		Name: v.text("ASSAY_OIDC_NAME", "your organisation's account"), Domains: v.list("ASSAY_OIDC_DOMAINS"),
	}
	if from := v.text("ASSAY_MAIL_FROM", ""); from != "" {
		at, err := mail.ParseAddress(from)
		if err != nil {
			v.fail(usagef(`Give an address like "Assay <assay@example.org>".`, "ASSAY_MAIL_FROM: %w", err))
		} else {
			set.From = platformmail.Address{Name: at.Name, Email: at.Address}
		}
	}
	if v.err == nil {
		v.err = set.check()
	}
	if v.err == nil {
		v.err = set.settleKeys(v)
	}
	return set, v.err
}

// check looks for settings that cannot be together.
func (s *serveSettings) check() error {
	if s.URL != "" {
		u, err := url.Parse(s.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			return usagef("It has the form https://assay.example, without a path.", "ASSAY_URL=%q is no address of a server", s.URL)
		}
	}
	switch {
	case s.OIDC.Issuer != "" && (s.OIDC.ClientID == "" || s.OIDC.ClientSecret == ""):
		return usagef("Set ASSAY_OIDC_CLIENT_ID and ASSAY_OIDC_CLIENT_SECRET too.", "ASSAY_OIDC_ISSUER alone lets nobody sign in")
	case s.OIDC.Issuer != "" && s.URL == "":
		return usagef("Set ASSAY_URL: the provider sends people back to it.", "ASSAY_OIDC_ISSUER needs the address of this server")
	}
	return nil
}

// settleKeys completes the secrets that an installation makes for itself: the key, which is kept in the data folder, and the
// code for setting up, which is another one with each start.
func (s *serveSettings) settleKeys(v *variables) error {
	if s.SetUpCode == "" {
		s.SetUpCode = platform.NewToken("")[:16]
	}
	text := v.secret("ASSAY_KEY")
	if v.err != nil {
		return v.err
	}
	if text == "" {
		if err := makeDirs(s.data); err != nil {
			return err
		}
		var err error
		if text, err = ownKey(filepath.Join(s.data, "key")); err != nil {
			return err
		}
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != seal.KeyBytes {
		return usagef("Make one with `openssl rand -hex 32`.", "the installation's key is not %d hex digits", 2*seal.KeyBytes)
	}
	s.Key = key
	return nil
}

// ownKey reads the installation's key from a file. The first start makes it; of two at once, both read the one that was first.
func ownKey(path string) (string, error) {
	var raw [seal.KeyBytes]byte
	_, _ = rand.Read(raw[:]) // never fails
	temp, err := os.CreateTemp(filepath.Dir(path), ".key-")
	if err != nil {
		return "", fmt.Errorf("make key: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(hex.EncodeToString(raw[:]) + "\n")
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return "", fmt.Errorf("write key: %w", err)
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("keep key: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read key: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
