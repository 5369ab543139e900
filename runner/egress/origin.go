package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Origin is one host and port that may be reached, and how.
type Origin struct {
	Scheme string // "http" or "https"
	Host   string // lower case; a name, or an IP address without brackets
	Port   string // decimal, 1 to 65535
}

// ParseOrigin reads "https://host[:port][/path]". The path is ignored: an npm registry may live below one. User
// information is refused, so that no password ends up in a container's arguments.
func ParseOrigin(raw string) (Origin, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Origin{}, errors.New("parse origin: not a URL") // the error of url.Parse would repeat a password
	}
	o := Origin{Scheme: u.Scheme, Host: lower(u.Hostname()), Port: u.Port()}
	switch {
	case o.Scheme != "http" && o.Scheme != "https":
		return Origin{}, fmt.Errorf("parse origin: scheme %q is neither http nor https", u.Scheme)
	case u.User != nil:
		return Origin{}, errors.New("parse origin: user and password are not allowed in it")
	}
	if o.Port == "" {
		o.Port = map[string]string{"http": "80", "https": "443"}[o.Scheme]
	}
	if err := checkHostPort(o.Host, o.Port); err != nil {
		return Origin{}, fmt.Errorf("parse origin: %w", err)
	}
	return o, nil
}

// String is the URL of the origin.
func (o Origin) String() string { return o.Scheme + "://" + o.address() }

func (o Origin) address() string { return net.JoinHostPort(o.Host, o.Port) }

// literal says whether the host is an IP address.
func (o Origin) literal() bool {
	_, err := netip.ParseAddr(o.Host)
	return err == nil
}

// maxHost is the longest name that DNS knows.
const maxHost = 253

// checkHostPort accepts host names as registries have them and IP addresses in their usual form, nothing that two
// parsers could read in two ways: no trailing dot, no zone, no octal or shortened address.
func checkHostPort(host, port string) error {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("port %q is not a number from 1 to 65535", clip(port))
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" || addr.String() != host {
			return fmt.Errorf("address %q is not written in its usual form", clip(host))
		}
		return nil
	}
	if host == "" || len(host) > maxHost {
		return fmt.Errorf("host %q is empty or too long", clip(host))
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if !validLabel(label) {
			return fmt.Errorf("host %q is not a host name", clip(host))
		}
	}
	// "127.1", "0x7f.1" or "2130706433" are addresses to some resolvers.
	if last := labels[len(labels)-1]; last[0] >= '0' && last[0] <= '9' {
		return fmt.Errorf("host %q looks like a disguised address", clip(host))
	}
	return nil
}

func validLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, c := range []byte(label) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// parseTarget reads "host:port" as a client wrote it. The result is in lower case and safe to compare, resolve and log.
func parseTarget(raw string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(raw)
	if err != nil {
		return "", "", fmt.Errorf("target %q is not host:port", clip(raw))
	}
	host = lower(host)
	if err := checkHostPort(host, port); err != nil {
		return "", "", err
	}
	return host, port, nil
}

// lower maps ASCII only: other letters that have an ASCII lower case, like the Kelvin sign, must stay different.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// clip bounds what a client can put into a message of ours.
func clip(s string) string {
	const most = 100
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
