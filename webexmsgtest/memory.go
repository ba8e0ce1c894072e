package webexmsgtest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A memoryListener accepts connections that never leave the process.
type memoryListener struct {
	pending chan net.Conn
	done    chan struct{}
	once    sync.Once
}

func newMemoryListener() *memoryListener {
	return &memoryListener{pending: make(chan net.Conn), done: make(chan struct{})}
}

var errRefused = errors.New("webexmsgtest: connection refused")

func (l *memoryListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := newPipe()
	select {
	case l.pending <- server:
		return client, nil
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: l.Addr(), Err: errRefused}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.pending:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return memoryAddr{} }

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "memory" }

// newPipe connects two ends. Unlike net.Pipe's they buffer, as sockets do:
// with an unbuffered pipe two sides that write at once deadlock.
func newPipe() (net.Conn, net.Conn) {
	ab, ba := newStream(), newStream()
	return &pipeEnd{in: ba, out: ab}, &pipeEnd{in: ab, out: ba}
}

type pipeEnd struct{ in, out *stream }

func (p *pipeEnd) Read(b []byte) (int, error)  { return p.in.read(b) }
func (p *pipeEnd) Write(b []byte) (int, error) { return p.out.write(b) }
func (p *pipeEnd) LocalAddr() net.Addr         { return memoryAddr{} }
func (p *pipeEnd) RemoteAddr() net.Addr        { return memoryAddr{} }

func (p *pipeEnd) Close() error {
	p.in.close(net.ErrClosed)
	p.out.close(io.EOF)
	return nil
}

func (p *pipeEnd) SetDeadline(t time.Time) error     { return p.SetReadDeadline(t) }
func (p *pipeEnd) SetReadDeadline(t time.Time) error { p.in.setDeadline(t); return nil }

// SetWriteDeadline has nothing to bound: a write never waits.
func (p *pipeEnd) SetWriteDeadline(time.Time) error { return nil }

// A stream is one direction of a pipe. Its waits are on a condition variable,
// which testing/synctest understands.
type stream struct {
	mu       sync.Mutex
	cond     *sync.Cond
	buf      []byte
	err      error // what a read of the drained stream returns; nil: wait
	closed   bool
	deadline time.Time
	timer    *time.Timer
}

func newStream() *stream {
	st := &stream{}
	st.cond = sync.NewCond(&st.mu)
	return st
}

func (st *stream) read(b []byte) (int, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for {
		switch {
		case errors.Is(st.err, net.ErrClosed): // by the reader itself
			return 0, st.err
		case !st.deadline.IsZero() && !time.Now().Before(st.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case len(st.buf) > 0:
			n := copy(b, st.buf)
			if st.buf = st.buf[n:]; len(st.buf) == 0 {
				st.buf = nil
			}
			return n, nil
		case st.err != nil:
			return 0, st.err
		}
		st.cond.Wait()
	}
}

func (st *stream) write(b []byte) (int, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed {
		return 0, io.ErrClosedPipe
	}
	st.buf = append(st.buf, b...)
	st.cond.Broadcast()
	return len(b), nil
}

func (st *stream) close(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !errors.Is(st.err, net.ErrClosed) {
		st.err = err
	}
	st.closed = true
	if st.timer != nil {
		st.timer.Stop()
	}
	st.cond.Broadcast()
}

func (st *stream) setDeadline(t time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.deadline = t
	if st.timer != nil {
		st.timer.Stop()
		st.timer = nil
	}
	if wait := time.Until(t); !t.IsZero() && wait > 0 && !st.closed {
		st.timer = time.AfterFunc(wait, func() {
			st.mu.Lock()
			defer st.mu.Unlock()
			st.cond.Broadcast()
		})
	}
	st.cond.Broadcast()
}
