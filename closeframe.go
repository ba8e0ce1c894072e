package webexmsg

import (
	"encoding/binary"
	"sync"
)

// Mercury closes sockets with codes that RFC 6455 reserves, 1050 for one, and
// the WebSocket library reports such a close as a violation of the protocol,
// without the code. So the bytes that it reads are looked through for the close
// frame on their way.

// A closeWatch looks for the close frame in what a server sends.
type closeWatch struct {
	mu     sync.Mutex // guards what follows
	seen   *CloseError
	header []byte // of the frame that is being read, as far as it is there
	skip   uint64 // bytes of a payload to pass over
	close  []byte // payload of a close frame
	want   int    // its length
}

// closed returns the close frame that came, if one did.
func (w *closeWatch) closed() *CloseError {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// look follows the frames of a server, which are not masked (RFC 6455 §5.2).
func (w *closeWatch) look(p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(p) > 0 && w.seen == nil {
		switch {
		case w.skip > 0:
			n := min(w.skip, uint64(len(p)))
			w.skip -= n
			p = p[n:]
		case w.want > 0:
			n := min(w.want-len(w.close), len(p))
			w.close = append(w.close, p[:n]...)
			p = p[n:]
			if len(w.close) == w.want {
				w.seen = &CloseError{Code: int(binary.BigEndian.Uint16(w.close)), Reason: string(w.close[2:])}
			}
		default:
			w.header = append(w.header, p[0])
			p = p[1:]
			w.begin()
		}
	}
}

// begin looks at a frame when its header is whole.
func (w *closeWatch) begin() {
	h := w.header
	if len(h) < 2 {
		return
	}
	size := uint64(h[1] & 0x7f)
	switch {
	case size == 126 && len(h) < 4, size == 127 && len(h) < 10:
		return
	case size == 126:
		size = uint64(binary.BigEndian.Uint16(h[2:]))
	case size == 127:
		size = binary.BigEndian.Uint64(h[2:])
	}
	const opClose = 8
	if h[0]&0x0f == opClose && size >= 2 {
		w.want = int(min(size, 125)) // more no control frame may have
	} else {
		w.skip = size
	}
	w.header = w.header[:0]
}
