package webhook

import (
	"net/netip"
	"testing"
)

// Whatever an address is written like, none that leads inside is dialled, and none is judged by how it is written.
func FuzzReachable(f *testing.F) {
	for _, seed := range []string{
		"8.8.8.8", "127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "fe80::1%eth0", "169.254.169.254", "100.64.0.1", "::127.0.0.1", "fd00::1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return
		}
		may := reachable(a, nil) == nil
		if plain := a.WithZone("").Unmap(); may != (reachable(plain, nil) == nil) {
			t.Fatalf("%s is judged otherwise than %s", a, plain)
		}
		if a.Is4() && may != (reachable(netip.AddrFrom16(a.As16()), nil) == nil) {
			t.Fatalf("%s is judged otherwise within IPv6", a)
		}
		b := a.WithZone("").Unmap()
		if may && (b.IsLoopback() || b.IsPrivate() || b.IsLinkLocalUnicast() || b.IsMulticast() || b.IsUnspecified()) {
			t.Fatalf("%s may be reached", a)
		}
		if !may { // an installation can allow it, by its network alone
			if reachable(a, []netip.Prefix{netip.PrefixFrom(b, b.BitLen())}) != nil {
				t.Fatalf("%s cannot be allowed", a)
			}
		}
	})
}
