package webexmsg

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// webexDomains are the domains, with all that is below them, to which Cisco's
// SDK sends a token.
var webexDomains = []string{"wbx2.com", "ciscospark.com", "webex.com", "webexapis.com"}

// A gate decides which addresses may be spoken to at all. Every request that
// the library makes, redirects and the WebSocket's upgrade included, passes it
// as an http.RoundTripper, so that no address that a server names can carry
// the token, or the bot's traffic, to a stranger.
type gate struct {
	named map[string]bool // hosts and host:ports that Config.AllowedHosts names
	bases map[string]bool // host:ports of Config.Endpoints
}

func newGate(allowed, bases []string) *gate {
	g := &gate{named: make(map[string]bool), bases: make(map[string]bool)}
	for _, h := range allowed {
		g.named[strings.ToLower(strings.Trim(h, "[]"))] = true
		g.named[strings.ToLower(h)] = true
	}
	for _, h := range bases {
		g.bases[strings.ToLower(h)] = true
	}
	return g
}

func (g *gate) check(u *url.URL) error {
	host, hp := strings.ToLower(u.Hostname()), strings.ToLower(hostPort(u))
	named := g.named[host] || g.named[hp]
	switch u.Scheme {
	case "https", "wss":
	case "http", "ws":
		if !named || !loopback(host) {
			return fmt.Errorf("%w: %s://%s is not encrypted", ErrHostNotAllowed, u.Scheme, u.Host)
		}
	default:
		return fmt.Errorf("%w: %q is not a scheme to follow", ErrHostNotAllowed, u.Scheme)
	}
	if u.User != nil {
		return fmt.Errorf("%w: an address with credentials in it", ErrHostNotAllowed)
	}
	if named || g.bases[hp] || inDomain(host, webexDomains) {
		return nil
	}
	return fmt.Errorf("%w: %s is neither Webex nor named in Config.AllowedHosts", ErrHostNotAllowed, u.Host)
}

// gatedTransport lets through what the gate allows.
type gatedTransport struct {
	gate *gate
	next http.RoundTripper
}

func (t *gatedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.gate.check(req.URL); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	return t.next.RoundTrip(req)
}

// CloseIdleConnections makes http.Client's method of that name work.
func (t *gatedTransport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func inDomain(host string, domains []string) bool {
	for _, d := range domains {
		if host == d || strings.HasSuffix(host, "."+d) {
			return true
		}
	}
	return false
}

// hostPort is the host and port of u, with the scheme's own port when it names none.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
		if u.Scheme == "http" || u.Scheme == "ws" {
			port = "80"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// validHost reports whether s is a host, an IP address (bare or bracketed), or
// one of these with a port.
func validHost(s string) bool {
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return true
	}
	u, err := url.Parse("//" + s)
	return err == nil && u.Host == s && u.Hostname() != "" && !strings.HasSuffix(s, ":")
}
