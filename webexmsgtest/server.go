package webexmsgtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/webexmsg/webexmsg"
)

// Options configures a [Server]. The zero value works.
type Options struct {
	// Addr is where to listen. "" means 127.0.0.1:0, a free port of the
	// loopback interface.
	Addr string

	// Host is the host, or host:port, in every URL that the server hands out
	// and in its certificate. "" means the listener's address, or
	// "webex.example" when InMemory.
	Host string

	// InMemory does without sockets: only the server's own [Server.Client]
	// reaches it. Everything then runs inside a testing/synctest bubble.
	InMemory bool

	// DeviceLimit is the number of devices that a user may have registered;
	// one more is refused with 403, "excessive device registrations".
	// 0 means 100.
	DeviceLimit int

	// Cluster is the Webex cluster that public REST ids name.
	// "" means "urn:TEAM:us-east-2_a", which ids write as "us".
	Cluster string

	// Logger receives a line for each request, at debug level. Nil means
	// silence.
	Logger *slog.Logger
}

// A Server is a simulated Webex cloud. All its methods, and those of the
// people and rooms that it makes, may be called from any goroutine.
type Server struct {
	opts   Options
	log    *slog.Logger
	host   string
	bot    *Person
	tls    *tls.Config
	ln     *listener
	http   *http.Server
	client *http.Client

	done    chan struct{} // closed by Close
	closing sync.Once
	running sync.WaitGroup // Serve, connections, handlers, held KMS answers

	mu         sync.Mutex // guards everything below, and what it leads to
	people     map[string]*Person
	tokens     map[string]*Person // live tokens only
	rooms      map[string]*Room
	devices    map[string]*device
	activities map[string]*activity
	files      map[string]*storedFile
	overrides  map[string]string // service: URL to hand out in place of our own
	published  time.Time         // of the latest activity
	faults     faults
	records    records
	kms        kms
	changed    chan struct{} // closed when a waiter should look again; nil: nobody waits
}

// NewServer starts a Webex cloud with one bot in it, see [Server.Bot]. It
// takes at most one Options and panics if it cannot listen. Call
// [Server.Close] when done.
func NewServer(opts ...Options) *Server {
	if len(opts) > 1 {
		panic("webexmsgtest: NewServer takes at most one Options")
	}
	s := &Server{
		done:       make(chan struct{}),
		people:     make(map[string]*Person),
		tokens:     make(map[string]*Person),
		rooms:      make(map[string]*Room),
		devices:    make(map[string]*device),
		activities: make(map[string]*activity),
		files:      make(map[string]*storedFile),
		overrides:  make(map[string]string),
	}
	if len(opts) == 1 {
		s.opts = opts[0]
	}
	if s.opts.DeviceLimit == 0 {
		s.opts.DeviceLimit = 100
	}
	if s.opts.Cluster == "" {
		s.opts.Cluster = "urn:TEAM:us-east-2_a"
	}
	if s.log = s.opts.Logger; s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.records.init()
	s.faults.init()
	s.kms.init()

	if err := s.listen(); err != nil {
		panic(fmt.Sprintf("webexmsgtest: cannot listen: %v", err))
	}
	s.bot = s.NewBot("bot@example.com", "Bot")
	s.running.Go(func() { s.http.ServeTLS(s.ln, "", "") })
	return s
}

func (s *Server) listen() error {
	var inner net.Listener
	var dial func(ctx context.Context, network, addr string) (net.Conn, error)
	if s.opts.InMemory {
		memory := newMemoryListener()
		inner, dial = memory, memory.dial
		s.host = "webex.example"
	} else {
		addr := s.opts.Addr
		if addr == "" {
			addr = "127.0.0.1:0"
		}
		tcp, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		inner = tcp
		s.host = tcp.Addr().String()
		var dialer net.Dialer
		dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			// The public host need not resolve here.
			if addr == withPort(s.host) {
				addr = tcp.Addr().String()
			}
			return dialer.DialContext(ctx, network, addr)
		}
	}
	if s.opts.Host != "" {
		s.host = s.opts.Host
	}
	s.ln = newListener(inner)

	cert := serverCertificate(s.host)
	s.tls = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.http = &http.Server{
		Handler:   s.routes(),
		TLSConfig: s.tls,
		ErrorLog:  log.New(io.Discard, "", 0), // handshakes that clients broke off
		// A WebSocket takes over its connection, which HTTP/2 cannot give away.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ConnContext:  withConn,
		ConnState:    s.connState,
	}
	s.client = &http.Client{Transport: &http.Transport{
		DialContext:         dial,
		TLSClientConfig:     &tls.Config{RootCAs: s.CertPool()},
		MaxIdleConnsPerHost: 32,
	}}
	return nil
}

// connState counts connections, so that Close can wait for their goroutines.
// A hijacked one is counted by its handler.
func (s *Server) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.running.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.running.Done()
	}
}

// Close ends every connection without a goodbye and returns when all of the
// server's goroutines have ended. It may be called more than once.
func (s *Server) Close() {
	s.closing.Do(func() {
		close(s.done)
		s.http.Close()
		s.ln.closeConns()
		s.client.CloseIdleConnections()
	})
	s.running.Wait()
}

// after runs f, on a goroutine of its own, when d has passed, unless the server
// is closed before. Only what the server waits for may call it: a handler, or
// such an f.
func (s *Server) after(d time.Duration, f func()) {
	s.running.Go(func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			f()
		case <-s.done:
		}
	})
}

// URL is the base URL of all services, such as https://127.0.0.1:40123.
func (s *Server) URL() string { return "https://" + s.host }

// Addr is where the server listens, such as 127.0.0.1:40123: for clients in
// other processes, where Options.Host does not lead there.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Certificate is the certificate of the server's TLS.
func (s *Server) Certificate() *x509.Certificate { return s.tls.Certificates[0].Leaf }

// CertPool holds the authority behind [Server.Certificate].
func (s *Server) CertPool() *x509.CertPool { return authorities().pool() }

// CAPEM is that authority in PEM form, for programs that take it from a file,
// as Node.js does from NODE_EXTRA_CA_CERTS.
func (s *Server) CAPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorities().ca.Raw})
}

// KMSRoots holds the authority over the certificate of the KMS static key.
func (s *Server) KMSRoots() *x509.CertPool { return authorities().pool() }

// Client trusts the server and, when it is InMemory, alone can reach it.
// Close closes its idle connections.
func (s *Server) Client() *http.Client { return s.client }

// Bot is the bot that is there from the start, bot@example.com.
func (s *Server) Bot() *Person { return s.bot }

// Config makes a webexmsg.Handler connect to this server as [Server.Bot].
func (s *Server) Config() webexmsg.Config { return s.ConfigFor(s.bot) }

// ConfigFor makes a webexmsg.Handler connect to this server as p.
func (s *Server) ConfigFor(p *Person) webexmsg.Config {
	return webexmsg.Config{
		Token:        p.Token,
		HTTPClient:   s.client,
		Endpoints:    webexmsg.Endpoints{Catalog: s.URL() + catalogPath, API: s.URL() + apiPath},
		AllowedHosts: []string{s.host},
		KMSRoots:     s.KMSRoots(),
	}
}

// trackingID labels what the server itself begins.
func trackingID() string { return "WEBEXMSGTEST_" + uuid.NewString() }

func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(host, "443")
}
