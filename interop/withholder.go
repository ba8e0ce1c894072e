package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"sync/atomic"
)

// A withholder is a transport that keeps acknowledgements of its WebSockets to
// itself: those that the fault "our-ack" takes from our Handler.
type withholder struct {
	next http.RoundTripper
	left atomic.Int64
}

func withholding(client *http.Client, acks int) *http.Client {
	w := &withholder{next: client.Transport}
	w.left.Store(int64(acks))
	c := *client
	c.Transport = w
	return &c
}

func (w *withholder) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := w.next.RoundTrip(req)
	if err == nil && res.StatusCode == http.StatusSwitchingProtocols {
		res.Body = &withheldConn{res.Body.(io.ReadWriteCloser), w}
	}
	return res, err
}

type withheldConn struct {
	io.ReadWriteCloser
	of *withholder
}

// Write takes whole frames: our Handler writes no others.
func (c *withheldConn) Write(p []byte) (int, error) {
	var kept []byte
	for rest := p; len(rest) > 0; {
		size, payload := clientFrame(rest)
		if !bytes.Contains(payload, []byte(`"ack"`)) || c.of.left.Add(-1) < 0 {
			kept = append(kept, rest[:size]...)
		}
		rest = rest[size:]
	}
	if _, err := c.ReadWriteCloser.Write(kept); err != nil {
		return 0, err
	}
	return len(p), nil
}

// clientFrame reads the first WebSocket frame in p: its size and what is in
// it. Of what is no whole masked frame it says that it is all, and empty.
func clientFrame(p []byte) (size int, payload []byte) {
	if len(p) < 2 || p[1]&0x80 == 0 {
		return len(p), nil
	}
	length, at := int(p[1]&0x7f), 2
	if length == 126 && len(p) >= 4 {
		length, at = int(binary.BigEndian.Uint16(p[2:])), 4
	}
	size = at + 4 + length
	if length == 127 || len(p) < size {
		return len(p), nil
	}
	mask := p[at : at+4]
	payload = bytes.Clone(p[at+4 : size])
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return size, payload
}
