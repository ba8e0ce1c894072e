package webexmsgtest_test

import (
	"strings"
	"testing"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

func newServer(t *testing.T, opts ...webexmsgtest.Options) *webexmsgtest.Server {
	t.Helper()
	srv := webexmsgtest.NewServer(opts...)
	t.Cleanup(srv.Close)
	return srv
}

// world is a server with alice and the bot in a direct and a group room.
func world(t *testing.T) (srv *webexmsgtest.Server, alice *webexmsgtest.Person, direct, group *webexmsgtest.Room) {
	t.Helper()
	srv = newServer(t)
	alice = srv.NewPerson("alice@example.com", "Alice")
	direct = srv.NewDirectRoom(alice, srv.Bot())
	group = srv.NewRoom("Team", alice, srv.Bot())
	return srv, alice, direct, group
}

func TestWholePath(t *testing.T) {
	srv, alice, direct, _ := world(t)
	c := newClient(t, srv, srv.Bot()).connect()

	id := alice.Post(direct, webexmsgtest.Message{Text: "hello", HTML: "<b>hello</b>"})
	a := c.activity()
	if a["id"] != id || a["verb"] != "post" || str(a, "actor", "entryUUID") != alice.ID || str(a, "target", "id") != direct.ID {
		t.Errorf("activity is %v", a)
	}
	if got := c.plain(a, "object", "displayName"); got != "hello" {
		t.Errorf("text = %q", got)
	}
	if got := c.plain(a, "object", "content"); got != "<b>hello</b>" {
		t.Errorf("HTML = %q", got)
	}
	if strings.Contains(str(a, "object", "displayName"), "hello") {
		t.Error("the text is not encrypted")
	}
	if err := srv.WaitAcked(testContext(t)); err != nil {
		t.Errorf("WaitAcked: %v; unacked %v", err, srv.Unacked(srv.Bot()))
	}
}
