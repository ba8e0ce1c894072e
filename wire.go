package webexmsg

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// A wire is the connection under one WebSocket. It is the http.RoundTripper of
// the upgrade, so as to get hold of it: what is read is looked through for the
// close code, and what is written can be held back, so that many small frames
// go out as one.
type wire struct {
	closeWatch
	next http.RoundTripper
	conn io.ReadWriteCloser

	out    sync.Mutex // guards what follows
	corked bool
	held   []byte
}

// maxHeld is how much is held back, in bytes: a record of TLS.
const maxHeld = 16 << 10

var errNotWritable = errors.New("the HTTP client's transport gives no connection to write to")

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := w.next.RoundTrip(req)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		return res, err
	}
	conn, ok := res.Body.(io.ReadWriteCloser)
	if !ok {
		res.Body.Close()
		return nil, errNotWritable
	}
	w.conn, res.Body = conn, w
	return res, nil
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.conn.Read(p)
	w.look(p[:n])
	return n, err
}

func (w *wire) Close() error { return w.conn.Close() }

func (w *wire) Write(p []byte) (int, error) {
	w.out.Lock()
	defer w.out.Unlock()
	if w.corked && len(w.held)+len(p) <= maxHeld {
		w.held = append(w.held, p...)
		return len(p), nil
	}
	if err := w.flush(); err != nil {
		return 0, err
	}
	return w.conn.Write(p)
}

// cork holds back what is written from now on, until uncork.
func (w *wire) cork() {
	w.out.Lock()
	defer w.out.Unlock()
	w.corked = true
}

func (w *wire) uncork() error {
	w.out.Lock()
	defer w.out.Unlock()
	w.corked = false
	return w.flush()
}

// flush needs w.out.
func (w *wire) flush() error {
	if len(w.held) == 0 {
		return nil
	}
	_, err := w.conn.Write(w.held)
	w.held = w.held[:0]
	return err
}
