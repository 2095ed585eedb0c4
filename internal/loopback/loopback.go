// Package loopback says whether a host is this machine alone.
package loopback

import (
	"net/netip"
	"strings"
)

// Is reports whether host, without a port, can be nothing but this machine's loopback interface: an address of it,
// an IPv6 one in brackets or not, or the name localhost. Other names never are, whatever they resolve to: who owns
// a name can point it elsewhere, or point one of the web's here.
func Is(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	inner, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		var closed bool
		if inner, closed = strings.CutSuffix(inner, "]"); !closed {
			return false
		}
	}
	ip, err := netip.ParseAddr(inner)
	if err != nil || ip.Zone() != "" || bracketed && !ip.Is6() {
		return false
	}
	return ip.Unmap().IsLoopback()
}
