package webexmsgtest

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
)

// A listener knows its connections, so that faults can reach below TLS.
type listener struct {
	net.Listener

	mu     sync.Mutex
	conns  map[*conn]struct{}
	outage bool
}

func newListener(inner net.Listener) *listener {
	return &listener{Listener: inner, conns: make(map[*conn]struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: inner, ln: l}
		l.mu.Lock()
		refused := l.outage
		if !refused {
			l.conns[c] = struct{}{}
		}
		l.mu.Unlock()
		if !refused {
			return c, nil
		}
		inner.Close()
	}
}

func (l *listener) setOutage(on bool) {
	l.mu.Lock()
	l.outage = on
	l.mu.Unlock()
	if on {
		l.closeConns()
	}
}

func (l *listener) closeConns() {
	l.mu.Lock()
	conns := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

// A conn is a connection of which the network can go away without a word.
type conn struct {
	net.Conn
	ln      *listener
	stalled atomic.Bool
}

// Read discards what comes in while the connection is stalled. It still
// notices that the other side hung up, or else a stalled connection would
// never be released.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err != nil || !c.stalled.Load() {
			return n, err
		}
	}
}

// Write swallows what goes out while the connection is stalled, as a dead
// network with room in its send buffer does.
func (c *conn) Write(p []byte) (int, error) {
	if c.stalled.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *conn) Close() error {
	c.ln.mu.Lock()
	delete(c.ln.conns, c)
	c.ln.mu.Unlock()
	return c.Conn.Close()
}

type connKey struct{}

// withConn lets a handler find the connection under its request.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connsOf returns the TLS connection under a request and the plain one under that.
func connsOf(ctx context.Context) (*tls.Conn, *conn) {
	t := ctx.Value(connKey{}).(*tls.Conn)
	return t, t.NetConn().(*conn)
}
