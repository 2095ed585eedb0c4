package client

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"sparkd"
)

// defaultPort is that of api.listen.
const defaultPort = "8787"

// Address returns the base URL of the daemon that text names: "host", "host:port", ":port" or an http or https URL,
// all with a path in front where a proxy serves the daemon below one. Without a host it is this machine, without a
// scheme http and the daemon's own port.
func Address(text string) (*url.URL, error) {
	refused := func(why string) error {
		return sparkd.Invalid("addr", `write host:port or a URL, for example "127.0.0.1:8787"`,
			"%q is no address of a daemon: %s", text, why)
	}
	full, bare := text, !strings.Contains(text, "://")
	if ip, err := netip.ParseAddr(text); err == nil && ip.Is6() {
		full = "[" + text + "]"
	}
	if bare {
		full = "http://" + strings.ReplaceAll(full, "%", "%25") // the zone of an IPv6 address
	}
	u, err := url.Parse(full)
	switch {
	case text == "":
		return nil, refused("it is empty")
	case err != nil:
		return nil, refused("it cannot be read")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, refused("a daemon speaks http, or https behind a proxy")
	case u.User != nil:
		return nil, refused("the token goes into api.token_file")
	case u.RawQuery != "" || u.Fragment != "" || u.Host == "":
		return nil, refused("only a host, a port and a path are taken")
	}
	host, port := u.Hostname(), u.Port()
	if _, err := netip.ParseAddr(host); err != nil && strings.Contains(host, ":") {
		return nil, refused("its host is none")
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return nil, refused("ports are 1 to 65535")
	}
	if port == "" && bare {
		port = defaultPort
	}
	path := strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/v1")
	return &url.URL{Scheme: u.Scheme, Host: joined(reachable(host), port), Path: path}, nil
}

// reachable is the host to call where a daemon listens on host, which may stand for all addresses of this machine.
func reachable(host string) string {
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "", err == nil && ip.Unmap() == netip.IPv4Unspecified():
		return "127.0.0.1"
	case err == nil && ip.IsUnspecified():
		return "::1"
	}
	return host
}

func joined(host, port string) string {
	if port != "" {
		return net.JoinHostPort(host, port)
	}
	return strings.TrimSuffix(net.JoinHostPort(host, ""), ":")
}
