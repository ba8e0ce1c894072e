package webexmsg

import (
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
	// Token is the bot's access token, without the word "Bearer". Required.
	Token string

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

	// IncludeSelfMessages delivers what the bot itself posts. By default
	// it is dropped: a bot that answers its own messages never stops.
	IncludeSelfMessages bool

	// DeviceName is the name under which the Handler registers its device.
	// When a user has too many devices, stale ones of this name, and only
	// those, are removed. "" means "webexmsg".
	DeviceName string

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
