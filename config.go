package webexmsg

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config configures a [Handler]. The zero value of every field but Token is
// its default. [New] copies it; changing it afterwards has no effect.
type Config struct {
	// Token is the bot's access token, without the word "Bearer". Required
	// unless there is a TokenSource.
	Token string

	// TokenSource gives an access token when Token is empty or has expired:
	// it is asked once when Webex refuses the token of the moment, however
	// many requests wait for the answer, and the token that it gives is used
	// from then on. Nil means that a refused token ends the connection.
	TokenSource func(context.Context) (string, error)

	// Logger receives what the Handler has to say about itself. Nil means
	// silence. Tokens, keys and message contents are never logged.
	Logger *slog.Logger

	// HTTPClient carries both the REST calls and the WebSocket, so that a
	// proxy or a private CA set on its Transport works for both. Its
	// Transport must allow HTTP/1.1, which the WebSocket needs. Redirects
	// pass the Handler's own host check before its CheckRedirect is asked.
	// Nil means a client of the Handler's own that honours HTTP_PROXY,
	// HTTPS_PROXY and NO_PROXY.
	HTTPClient *http.Client

	// PingInterval is the time between two pings. 0 means 15 s.
	PingInterval time.Duration

	// PongTimeout is how long a pong may take before the connection counts
	// as broken. 0 means 14 s.
	PongTimeout time.Duration

	// ReconnectBackoffMax is the upper bound of the exponential backoff
	// between two attempts to connect; the first wait is at most 1 s, and
	// every wait is drawn at random from zero to its bound. 0 means 32 s.
	ReconnectBackoffMax time.Duration

	// MaxReconnectAttempts is how many attempts may fail in a row before
	// the Handler gives up. 0 means 10; negative means no limit.
	MaxReconnectAttempts int

	// IncludeSelfMessages delivers what the bot itself says: its messages,
	// edits, deletions, reactions and submitted cards. By default they are
	// dropped, from EventActivity too: a bot that answers its own messages
	// never stops. What else the bot does is delivered in any case, such as
	// its leaving a room, and the tally of reactions.
	IncludeSelfMessages bool

	// DeviceName is the name under which the Handler registers its device.
	// When a user has too many devices, stale ones of this name, and only
	// those, are removed. "" means "webexmsg".
	DeviceName string

	// Concurrency is how many callbacks of activities run at the same time
	// at the most, each for another room. 1 gives one order over all rooms.
	// 0 means 16.
	Concurrency int

	// QueueSize is how many activities may be waiting for their callbacks,
	// over all rooms. 0 means 10,000. They may also take up 64 MiB at most.
	QueueSize int

	// CatchUp is how far back the Handler fetches what it missed while no
	// connection stood. 0 means 15 minutes; negative turns catching up off.
	CatchUp time.Duration

	// Checkpoint keeps how far the Handler has come, so that the next start
	// of the program goes on from there: with at-least-once delivery across
	// a crash. With one, Disconnect leaves the device to its time to live of
	// half an hour, for the next start to take up again. Nil means that every
	// start begins with what is sent from then on. See [FileCheckpoint].
	Checkpoint Checkpoint

	// KeyTimeout is how long an activity, and with it its room, waits for its
	// key, before it becomes an error event. Time without a connection does
	// not count. 0 means 30 s.
	KeyTimeout time.Duration

	// MaxFrameSize is the size in bytes up to which a message from Mercury is
	// read. A larger one is discarded as it comes in, which costs neither
	// memory nor the connection; an error event tells of it, and what was in
	// it is fetched if that can be. 0 means 4 MiB.
	MaxFrameSize int

	// AckAfterHandling acknowledges a message to Mercury when its callbacks
	// have returned. By default that is done on receipt, as in Cisco's own
	// client. Whether Mercury sends again what was not acknowledged is not
	// known for sure; no guarantee of the Handler is built on it.
	AckAfterHandling bool

	// Endpoints says where Webex is. The zero value is commercial Webex;
	// [FedRAMP] is the other set.
	Endpoints Endpoints

	// AllowedHosts names further hosts that may see the token, beside
	// Webex's own domains and the hosts of Endpoints. An entry is a host
	// name or an IP address, with a port or (any port) without one. A
	// loopback address named here may also be spoken to in clear (http, ws).
	AllowedHosts []string

	// KMSRoots are the authorities to which the certificate chain of the
	// KMS static key must lead. Nil means that the chain is not checked, as
	// in Cisco's SDK; host, key and signatures are checked in any case.
	KMSRoots *x509.CertPool
}

// Endpoints are the two addresses from which everything else is discovered.
type Endpoints struct {
	// Catalog is the base URL of the service catalog U2C.
	// "" means https://u2c.wbx2.com/u2c/api/v1.
	Catalog string
	// API is the base URL of the public REST API.
	// "" means https://webexapis.com/v1.
	API string
}

// FedRAMP holds the endpoints of Webex for Government.
var FedRAMP = Endpoints{
	Catalog: "https://u2c.gov.ciscospark.com/u2c/api/v1",
	API:     "https://api-usgov.webex.com/v1",
}

// commercial holds the endpoints of Webex, and fallbackWDM the registration
// service that its clients use when the catalog cannot be had (protocol §1).
var commercial = Endpoints{
	Catalog: "https://u2c.wbx2.com/u2c/api/v1",
	API:     "https://webexapis.com/v1",
}

const fallbackWDM = "https://wdm-a.wbx2.com/wdm/api/v1"

// settings is a Config that New has checked and completed.
type settings struct {
	Config
	gate *gate
}

// Format prints a Config without its token.
func (c Config) Format(f fmt.State, verb rune) {
	type plain Config // without this method
	if c.Token != "" {
		c.Token = "[redacted]"
	}
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain(c))
}

// LogValue keeps a Config, and with it the token, out of structured logs.
func (c Config) LogValue() slog.Value { return slog.StringValue("webexmsg.Config") }

// check completes the defaults and reports every field that cannot be.
func (c Config) check() (*settings, error) {
	var problems []error
	bad := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("Config."+field+" "+format, args...))
	}

	switch {
	case c.Token == "" && c.TokenSource == nil:
		bad("Token", "is empty, and there is no TokenSource")
	case !plausibleToken(c.Token) && c.Token != "":
		bad("Token", "has characters that no access token has (is it quoted, or prefixed with \"Bearer \"?)")
	}
	durations := []struct {
		field string
		value *time.Duration
		def   time.Duration
	}{
		{"PingInterval", &c.PingInterval, 15 * time.Second},
		{"PongTimeout", &c.PongTimeout, 14 * time.Second},
		{"ReconnectBackoffMax", &c.ReconnectBackoffMax, 32 * time.Second},
		{"KeyTimeout", &c.KeyTimeout, 30 * time.Second},
	}
	for _, d := range durations {
		switch {
		case *d.value < 0:
			bad(d.field, "is negative: %v", *d.value)
		case *d.value == 0:
			*d.value = d.def
		}
	}
	if c.CatchUp == 0 {
		c.CatchUp = 15 * time.Minute
	}
	if c.MaxReconnectAttempts == 0 {
		c.MaxReconnectAttempts = 10
	}
	counts := []struct {
		field string
		value *int
		def   int
	}{
		{"Concurrency", &c.Concurrency, 16},
		{"QueueSize", &c.QueueSize, 10_000},
		{"MaxFrameSize", &c.MaxFrameSize, 4 << 20},
	}
	for _, n := range counts {
		switch {
		case *n.value < 0:
			bad(n.field, "is negative: %d", *n.value)
		case *n.value == 0:
			*n.value = n.def
		}
	}
	if c.DeviceName == "" {
		c.DeviceName = "webexmsg"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}

	var hosts []string
	c.AllowedHosts = append([]string(nil), c.AllowedHosts...)
	for i, h := range c.AllowedHosts {
		if !validHost(h) {
			bad(fmt.Sprintf("AllowedHosts[%d]", i), "is not a host or host:port: %q", h)
		}
	}
	bases := []struct {
		field string
		value *string
		def   string
	}{
		{"Endpoints.Catalog", &c.Endpoints.Catalog, commercial.Catalog},
		{"Endpoints.API", &c.Endpoints.API, commercial.API},
	}
	for _, b := range bases {
		if *b.value == "" {
			*b.value = b.def
		}
		*b.value = strings.TrimRight(*b.value, "/")
		u, err := url.Parse(*b.value)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			bad(b.field, "is not a base URL such as %s", b.def)
			continue
		}
		hosts = append(hosts, hostPort(u))
	}

	g := newGate(c.AllowedHosts, hosts)
	if len(problems) == 0 {
		for _, b := range bases {
			u, _ := url.Parse(*b.value)
			if err := g.check(u); err != nil {
				bad(b.field, "cannot be used: %w", err)
			}
		}
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("webexmsg: %w", errors.Join(problems...))
	}
	return &settings{Config: c, gate: g}, nil
}
