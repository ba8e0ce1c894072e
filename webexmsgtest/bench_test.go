package webexmsgtest_test

import (
	"context"
	"testing"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// BenchmarkPost posts to a client that does nothing but read.
func BenchmarkPost(b *testing.B) {
	srv := webexmsgtest.NewServer()
	defer srv.Close()
	alice := srv.NewPerson("alice@example.com", "Alice")
	r := srv.NewDirectRoom(alice, srv.Bot())
	ws := newClient(b, srv, srv.Bot()).connectedSocket().ws
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, _, err := ws.Read(context.Background()); err != nil {
				return
			}
		}
	}()
	for b.Loop() {
		alice.Post(r, message{Text: "hello", HTML: "<b>hello</b>"})
	}
	srv.DropSockets()
	<-done
}
