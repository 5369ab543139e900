package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// errInside says that an address is one that nothing is sent to.
var errInside = errors.New("the address leads into a network that is not the public one")

// inside are networks that netip's own questions do not know: what is not routed, what is for documents and measurements,
// and what carries an IPv4 address within, which a gateway could take for one of ours.
func inside() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),
		netip.MustParsePrefix("100.64.0.0/10"), // shared by a provider's customers; metadata of some clouds
		netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("192.88.99.0/24"),
		netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("240.0.0.0/4"),      // and broadcast
		netip.MustParsePrefix("168.63.129.16/32"), // a cloud's own services
		netip.MustParsePrefix("::/96"),
		netip.MustParsePrefix("64:ff9b::/96"),
		netip.MustParsePrefix("64:ff9b:1::/48"),
		netip.MustParsePrefix("100::/64"),
		netip.MustParsePrefix("2001::/23"), // Teredo among them
		netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("2002::/16"),
		netip.MustParsePrefix("3fff::/20"),
		netip.MustParsePrefix("fec0::/10"),
	}
}

// reachable is nil for an address that deliveries may go to: a public one, or one of the networks that were allowed.
func reachable(a netip.Addr, allowed []netip.Prefix) error {
	a = a.Unmap().WithZone("")
	for _, p := range allowed {
		if p.Contains(a) {
			return nil
		}
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return errInside
	}
	for _, p := range inside() {
		if p.Contains(a) {
			return errInside
		}
	}
	return nil
}

// How long the other side has, and how much it may say.
const (
	wholeTime   = 15 * time.Second
	connectTime = 5 * time.Second
	headerBytes = 16 << 10
	maxExcerpt  = 500 // bytes of an answer that are kept
)

// newClient makes a client that follows no redirect, uses no proxy, and looks at each address when it is dialled: what a
// name meant when somebody asked before does not count. names finds addresses; nil: as the system does.
func newClient(allowed []netip.Prefix, trust *tls.Config, names *net.Resolver) *http.Client {
	dialer := &net.Dialer{Timeout: connectTime, Resolver: names, ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || network != "tcp4" && network != "tcp6" {
			return fmt.Errorf("dial %s: %w", network, errInside)
		}
		return reachable(to.Addr(), allowed)
	}}
	return &http.Client{
		Timeout:       wholeTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: trust, TLSHandshakeTimeout: connectTime, MaxResponseHeaderBytes: headerBytes,
			// Deliveries to one endpoint are rare; a connection that is kept would be one more thing to bound.
			DisableKeepAlives: true, DisableCompression: true, ForceAttemptHTTP2: true,
		},
	}
}
