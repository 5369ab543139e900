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
	"github.com/assay-run/assay/internal/platform/blob"
	platformmail "github.com/assay-run/assay/internal/platform/mail"
	"github.com/assay-run/assay/internal/platform/seal"
)

// serveSettings are all settings of `assay serve`.
type serveSettings struct {
	Listen, DataDir string
	// URL is the address under which people reach the server, without a slash at its end; empty until it is known where the
	// server listens.
	URL      string
	Database string
	Key      []byte // of the installation, seal.KeyBytes
	// SetUpCode must be shown by whoever sets the installation up.
	SetUpCode     string
	MetricsListen string
	Proxies       []netip.Prefix
	Worker        bool // gradings are made in this process
	ToolsDir      string
	S3            blob.S3Options // without an endpoint: files in the data folder
	SMTP          platformmail.SMTPOptions
	From          platformmail.Address
	OIDC          oidcSettings
}

// oidcSettings are those of an OpenID provider; without an issuer there is none.
type oidcSettings struct {
	Issuer, ClientID, ClientSecret, Name string
	Domains                              []string
}

func (s serveSettings) blobs() string   { return filepath.Join(s.DataDir, "files") }
func (s serveSettings) uploads() string { return filepath.Join(s.DataDir, "uploads") }
func (s serveSettings) outbox() string  { return filepath.Join(s.DataDir, "outbox") }

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
	env func(string) (string, bool)
	err error
}

// text is a variable; unset and empty are the same.
func (v *variables) text(name, unset string) string {
	if value, _ := v.env(name); value != "" {
		return value
	}
	return unset
}

// maxSecretFile bounds a file that holds a secret, in bytes.
const maxSecretFile = 64 << 10

// secret is a variable, or the first line of the file that NAME_FILE names.
func (v *variables) secret(name string) string {
	value, path := v.text(name, ""), v.text(name+"_FILE", "")
	if path == "" {
		return value
	}
	if value != "" {
		v.fail(usagef("Leave one of them out.", "%s and %s_FILE are both set", name, name))
		return ""
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxSecretFile {
		err = errors.New("it is too large for a secret")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		v.fail(usagef("Name a file that holds the secret.", "read %s_FILE: %w", name, err))
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
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

// serveSettings reads the settings; flags win over the environment.
func (a *app) serveSettings(listen, data string) (serveSettings, error) {
	v := &variables{env: a.env}
	set := serveSettings{
		Listen: v.text("ASSAY_LISTEN", "127.0.0.1:8080"), DataDir: v.text("ASSAY_DATA_DIR", ""), MetricsListen: v.text("ASSAY_METRICS_LISTEN", ""),
		URL: strings.TrimSuffix(v.text("ASSAY_URL", ""), "/"), SetUpCode: v.secret("ASSAY_SETUP_CODE"), Worker: v.yes("ASSAY_WORKER", true),
		ToolsDir: v.text("ASSAY_TOOLS_DIR", ""), Database: v.secret("ASSAY_DATABASE"),
		S3: blob.S3Options{
			Endpoint: v.text("ASSAY_S3_ENDPOINT", ""), Bucket: v.text("ASSAY_S3_BUCKET", ""), Region: v.text("ASSAY_S3_REGION", ""),
			AccessKey: v.secret("ASSAY_S3_ACCESS_KEY"), SecretKey: v.secret("ASSAY_S3_SECRET_KEY"), Insecure: v.yes("ASSAY_S3_INSECURE", false),
			Prefix: v.text("ASSAY_S3_PREFIX", ""),
		},
		SMTP: platformmail.SMTPOptions{
			Host: v.text("ASSAY_SMTP_HOST", ""), Port: v.port("ASSAY_SMTP_PORT"), User: v.text("ASSAY_SMTP_USER", ""),
			Pass: v.secret("ASSAY_SMTP_PASSWORD"), Plain: v.yes("ASSAY_SMTP_PLAIN", false),
		},
		OIDC: oidcSettings{
			Issuer: v.text("ASSAY_OIDC_ISSUER", ""), ClientID: v.text("ASSAY_OIDC_CLIENT_ID", ""), ClientSecret: v.secret("ASSAY_OIDC_CLIENT_SECRET"),
			Name: v.text("ASSAY_OIDC_NAME", "your organisation's account"), Domains: v.list("ASSAY_OIDC_DOMAINS"),
		},
	}
	if listen != "" {
		set.Listen = listen
	}
	if data != "" {
		set.DataDir = data
	}
	if set.DataDir == "" {
		set.DataDir = a.serveDir()
	}
	for _, text := range v.list("ASSAY_PROXIES") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			v.fail(usagef("Give networks like 10.0.0.0/8, with commas between.", "ASSAY_PROXIES: %q is no network", text))
		}
		set.Proxies = append(set.Proxies, p)
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

// serveDir is the folder of an installation unless another one is named.
func (a *app) serveDir() string {
	return filepath.Join(a.defaultDir("XDG_DATA_HOME", ".local/share", "/var/lib/assay"), "server")
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
	case (s.S3.Endpoint == "") != (s.S3.Bucket == ""):
		return usagef("Set both, or none of them.", "ASSAY_S3_ENDPOINT and ASSAY_S3_BUCKET belong together")
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
	if s.Database == "" {
		s.Database = filepath.Join(s.DataDir, "assay.db")
	}
	if s.SetUpCode == "" {
		s.SetUpCode = platform.NewToken("")[:16]
	}
	text := v.secret("ASSAY_KEY")
	if v.err != nil {
		return v.err
	}
	if text == "" {
		if err := makeDirs(s.DataDir); err != nil {
			return err
		}
		var err error
		if text, err = ownKey(filepath.Join(s.DataDir, "key")); err != nil {
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
