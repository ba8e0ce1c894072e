package webexmsgtest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// What follows is what Cisco's SDK turned out to need when the suite in interop
// let it loose on the server.

const conversationService = "/conversation/api/v1"

func TestSDKStarts(t *testing.T) {
	srv := newServer(t)
	nobody := newClient(t, srv, &webexmsgtest.Person{Token: "none"})
	links := nobody.must(200, "GET", "/u2c/api/v1/limited/catalog?orgId=x&format=hostmap", nil)["serviceLinks"]
	for _, service := range []string{"wdm", "conversation", "encryption", "files", "metrics"} {
		if !strings.HasPrefix(str(links, service), srv.URL()+"/") {
			t.Errorf("%s is at %q", service, str(links, service))
		}
	}
	nobody.must(200, "POST", str(links, "metrics")+"/clientmetrics", object{"metrics": []any{}})
	nobody.must(401, "GET", "/u2c/api/v1/catalog", nil)
}

func TestSDKLooksUpUsers(t *testing.T) {
	srv, alice, direct, _ := world(t)
	c := newClient(t, srv, alice)
	if me := c.must(200, "GET", conversationService+"/users", nil); me["id"] != alice.ID || me["email"] != alice.Email {
		t.Errorf("the user is %v", me)
	}
	const unknown = "nobody@example.com"
	users := c.must(200, "POST", conversationService+"/users", []object{{"email": srv.Bot().Email}, {"email": unknown}})
	if got := users[srv.Bot().Email]; str(got, "id") != srv.Bot().ID || at(got, "userExists") != true {
		t.Errorf("the bot is %v", got)
	}
	if got := users[unknown]; at(got, "userExists") != false || at(got, "id") != nil {
		t.Errorf("nobody is %v", got)
	}

	none := srv.NewPerson("zoe@example.com", "Zoe").RESTID() + "x"
	people := c.must(200, "GET", "/v1/people/?id="+alice.RESTID()+","+none+"&showAllTypes=false", nil)
	if items := people["items"].([]any); len(items) != 1 || str(items[0], "id") != alice.RESTID() {
		t.Errorf("people are %v", items)
	}
	if missing := people["notFoundIds"].([]any); len(missing) != 1 || missing[0] != none {
		t.Errorf("not found are %v", missing)
	}
	const bare = "00000000-0000-4000-8000-000000000000"
	people = c.must(200, "GET", "/v1/people/?id="+bare, nil)
	if missing := people["notFoundIds"].([]any); len(missing) != 1 || missing[0] != webexmsg.ToRESTID(webexmsg.KindPeople, bare, "") {
		t.Errorf("of a bare id, not found are %v", missing)
	}
	if items := c.must(200, "GET", "/v1/people?displayName=zo", nil)["items"].([]any); len(items) != 1 {
		t.Errorf("people named zo… are %v", items)
	}

	c.must(200, "POST", direct.URL()+"/status/typing", object{"eventType": "status.start_typing"})
	newClient(t, srv, srv.NewPerson("eve@example.com", "Eve")).must(404, "POST", direct.URL()+"/status/typing", object{})
}

// TestSDKPosts posts at the room's own address, without naming a target.
func TestSDKPosts(t *testing.T) {
	srv, alice, direct, _ := world(t)
	bot := newClient(t, srv, srv.Bot()).connect()
	c := newClient(t, srv, alice)
	message := func(text string, more object) string {
		t.Helper()
		body := object{"objectType": "activity", "verb": "post", "encryptionKeyUrl": direct.KeyURL(),
			"object": object{"objectType": "comment", "displayName": srv.Encrypt(direct, text)}}
		for name, value := range more {
			body[name] = value
		}
		posted := c.must(200, "POST", direct.URL()+"/activities?personRefresh=true", body)
		if got := bot.activity(); got["id"] != posted["id"] || str(got, "target", "id") != direct.ID {
			t.Errorf("the activity is %v", got)
		}
		return str(posted, "id")
	}
	original := message("first", nil)
	edit := message("second", object{"parent": object{"id": original, "type": "edit"}})

	// The SDK asks for an edit as for a new message.
	for _, id := range []string{original, edit} {
		m := bot.must(200, "GET", conversationService+"/messages/"+id, nil)
		if m["text"] != "second" {
			t.Errorf("by REST the message is %v", m)
		}
		wantID(t, m["id"], "ciscospark://us/MESSAGE/"+original)
	}
	c.must(200, "PUT", direct.URL()+"/space/hidden", nil)
	newClient(t, srv, srv.NewPerson("eve@example.com", "Eve")).must(404, "POST", direct.URL()+"/activities", object{"verb": "post"})
}

// TestSDKOpensLinks: what the SDK opens of a link is of the form of a file's scr.
func TestSDKOpensLinks(t *testing.T) {
	srv, alice, direct, _ := world(t)
	bot := newClient(t, srv, srv.Bot()).connect()
	alice.Post(direct, message{Text: "see", Links: []webexmsgtest.Link{{URL: "https://example.com/", Title: "Example"}}})
	items := at(bot.activity(), "object", "links", "items").([]any)
	plain, err := openJWE(bot.key(direct.KeyURL()), str(items[0], "sslr"))
	if err != nil {
		t.Fatal(err)
	}
	var opened object
	if err := json.Unmarshal(plain, &opened); err != nil || opened["loc"] != "https://example.com/" || opened["key"] == nil {
		t.Errorf("the link opens to %s", plain)
	}
}

// TestSDKLeavesDirectRoomsAlone: a direct room stays the room of its two.
func TestSDKLeavesDirectRoomsAlone(t *testing.T) {
	srv, alice, direct, _ := world(t)
	c := newClient(t, srv, alice)
	for verb, q := range map[string]*webexmsgtest.Person{
		"add": srv.NewPerson("carl@example.com", "Carl"), "leave": alice, "assignModerator": alice, "unassignModerator": srv.Bot(),
	} {
		c.must(403, "POST", direct.URL()+"/activities", object{"verb": verb, "object": object{"objectType": "person", "id": q.ID}})
	}
	if members := direct.Members(); len(members) != 2 {
		t.Errorf("the members are %v", members)
	}
}

func TestUnackedByDevice(t *testing.T) {
	srv, alice, direct, _ := world(t)
	lazy := newClient(t, srv, srv.Bot())
	lazy.noAck = true
	lazy.connectedSocket()
	diligent := newClient(t, srv, srv.Bot()).connectedSocket()
	alice.Post(direct, message{Text: "hello"})
	lazy.activity()
	diligent.activity()
	// The server reads in order: with the pong it has read the acknowledgements.
	diligent.write(object{"id": "p1", "type": "ping"})
	diligent.next()

	want := map[string]int{
		str(lazy.device, "url"):     2, // the ready event, the message
		str(diligent.device, "url"): 0,
	}
	for _, d := range srv.Devices(srv.Bot()) {
		if len(d.Unacked) != want[d.URL] {
			t.Errorf("%s has %d frames unacknowledged, want %d", d.URL, len(d.Unacked), want[d.URL])
		}
	}
}
