package webexmsg

import (
	"bytes"
	"testing"
)

// TestCloseFramesAreFound reads streams in pieces of every size.
func TestCloseFramesAreFound(t *testing.T) {
	text := func(n int) []byte {
		switch payload := bytes.Repeat([]byte{0x88}, n); { // which a lost reader would take for frames
		case n < 126:
			return append([]byte{0x81, byte(n)}, payload...)
		case n < 1<<16:
			return append([]byte{0x81, 126, byte(n >> 8), byte(n)}, payload...)
		default:
			return append([]byte{0x81, 127, 0, 0, 0, 0, 0, byte(n >> 16), byte(n >> 8), byte(n)}, payload...)
		}
	}
	stream := bytes.Join([][]byte{text(0), text(5), text(125), text(126), text(65535), text(70000), {0x89, 0}, {0x88, 6, 0x04, 0x1a, 'i', 'd', 'l', 'e'}, text(3)}, nil)
	for _, piece := range []int{1, 2, 3, 7, 100, 4096, len(stream)} {
		w := &closeWatch{}
		for at := 0; at < len(stream); at += piece {
			w.look(stream[at:min(at+piece, len(stream))])
		}
		if c := w.closed(); c == nil || c.Code != 1050 || c.Reason != "idle" {
			t.Errorf("in pieces of %d: %v", piece, c)
		}
	}
	w := &closeWatch{}
	w.look([]byte{0x88, 0})
	if c := w.closed(); c != nil {
		t.Errorf("a close frame without a code is %v", c)
	}
}
