package webexmsg_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

func TestRESTIDs(t *testing.T) {
	const uuid, room = "4a6ff373-4d3f-4d3c-9d3b-2d1b3a5f7a10", "13a169e0-8a71-4fa7-8577-c1850271f6ad"
	for _, c := range []struct {
		kind             webexmsg.Kind
		uuid, cluster    string
		plain            string
		backAsTheCluster string
	}{
		{webexmsg.KindMessage, uuid, "us", "ciscospark://us/MESSAGE/" + uuid, "us"},
		{webexmsg.KindMessage, uuid, "", "ciscospark://us/MESSAGE/" + uuid, "us"},
		{webexmsg.KindMessage, uuid, "urn:TEAM:us-east-2_a", "ciscospark://us/MESSAGE/" + uuid, "us"},
		{webexmsg.KindMessage, uuid, "urn:TEAM:us-east-2_a:identityLookup", "ciscospark://us/MESSAGE/" + uuid, "us"},
		{webexmsg.KindMessage, uuid, "urn:TEAM:us-east-1_int13:conversation", "ciscospark://us/MESSAGE/" + uuid, "us"},
		{webexmsg.KindRoom, uuid, "urn:TEAM:eu-central-1_k:identityLookup", "ciscospark://urn:TEAM:eu-central-1_k/ROOM/" + uuid, "urn:TEAM:eu-central-1_k"},
		{webexmsg.KindRoom, uuid, "urn:TEAM:us-west-2_r", "ciscospark://urn:TEAM:us-west-2_r/ROOM/" + uuid, "urn:TEAM:us-west-2_r"},
		{webexmsg.KindPeople, uuid, "urn:TEAM:eu-central-1_k", "ciscospark://us/PEOPLE/" + uuid, "us"},
		{webexmsg.KindOrganization, uuid, "urn:TEAM:eu-central-1_k", "ciscospark://us/ORGANIZATION/" + uuid, "us"},
		{webexmsg.KindAttachmentAction, uuid, "us", "ciscospark://us/ATTACHMENT_ACTION/" + uuid, "us"},
		{webexmsg.KindMembership, uuid + ":" + room, "us", "ciscospark://us/MEMBERSHIP/" + uuid + ":" + room, "us"},
		{webexmsg.KindContent, uuid + "/2", "us", "ciscospark://us/CONTENT/" + uuid + "/2", "us"},
	} {
		id := webexmsg.ToRESTID(c.kind, c.uuid, c.cluster)
		if want := base64.RawURLEncoding.EncodeToString([]byte(c.plain)); id != want {
			t.Errorf("ToRESTID(%s, %s, %s) = %s, want %s", c.kind, c.uuid, c.cluster, id, want)
		}
		for _, encoding := range []*base64.Encoding{base64.RawURLEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.StdEncoding} {
			kind, uuid, cluster, err := webexmsg.ParseRESTID(encoding.EncodeToString([]byte(c.plain)))
			if err != nil || kind != c.kind || uuid != c.uuid || cluster != c.backAsTheCluster {
				t.Errorf("ParseRESTID of %s: %s, %s, %s, %v", c.plain, kind, uuid, cluster, err)
			}
		}
	}
	if id := webexmsg.ToRESTID(webexmsg.KindMessage, "", "us"); id != "" {
		t.Errorf("of nothing, ToRESTID made %s", id)
	}
	for _, bad := range []string{
		"", "!", uuid, b64("ciscospark://us/MESSAGE"), b64("ciscospark://us/MESSAGE/"), b64("ciscospark:///MESSAGE/x"), b64("ciscospark://us//x"), b64("http://us/MESSAGE/x"),
	} {
		if _, _, _, err := webexmsg.ParseRESTID(bad); err == nil {
			t.Errorf("ParseRESTID took %q", bad)
		}
	}
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func FuzzParseRESTID(f *testing.F) {
	f.Add(webexmsg.ToRESTID(webexmsg.KindRoom, "x", "urn:TEAM:eu-central-1_k"))
	f.Fuzz(func(t *testing.T, id string) {
		kind, uuid, cluster, err := webexmsg.ParseRESTID(id)
		if err != nil {
			return
		}
		again, uuid2, _, err := webexmsg.ParseRESTID(webexmsg.ToRESTID(kind, uuid, cluster))
		if err != nil || again != kind || uuid2 != uuid {
			t.Errorf("%s %s %s: %s %s %v", kind, uuid, cluster, again, uuid2, err)
		}
	})
}

// TestIDsOfTheRegion takes ids of payloads to the REST API of clouds in several
// regions.
func TestIDsOfTheRegion(t *testing.T) {
	for _, cluster := range []string{"urn:TEAM:us-east-2_a", "urn:TEAM:us-east-1_int13", "urn:TEAM:eu-central-1_k", "urn:TEAM:ap-southeast-2_m"} {
		t.Run(cluster, func(t *testing.T) {
			s := webexmsgtest.NewServer(webexmsgtest.Options{Cluster: cluster})
			t.Cleanup(s.Close)
			alice := s.NewPerson("alice@example.com", "Alice")
			room := s.NewDirectRoom(alice, s.Bot())
			h, _ := newHandler(t, s.Config())
			messages := hear[webexmsg.DecryptedMessage](t, h, "message:created")
			deleted := hear[webexmsg.DeletedMessage](t, h, "message:deleted")
			connect(t, h)
			first := alice.Post(room, text("first"))
			m := next(t, messages)
			if m.RoomRESTID() != room.RESTID() || m.PersonRESTID() != alice.RESTID() || m.ParentRESTID() != "" {
				t.Errorf("room %s, person %s, parent %q", m.RoomRESTID(), m.PersonRESTID(), m.ParentRESTID())
			}
			var got struct{ ID, Text, RoomID, PersonID string }
			get(t, s, "/messages/"+m.RESTID(), &got)
			if got.Text != "first" || got.ID != m.RESTID() || got.RoomID != m.RoomRESTID() || got.PersonID != m.PersonRESTID() {
				t.Errorf("the REST API has %+v", got)
			}
			alice.Post(room, webexmsgtest.Message{Text: "second", ParentID: first})
			if r := next(t, messages); r.ParentRESTID() != m.RESTID() {
				t.Errorf("parent %s, want %s", r.ParentRESTID(), m.RESTID())
			}
			alice.Delete(room, first)
			if d := next(t, deleted); d.MessageRESTID() != m.RESTID() || d.RoomRESTID() != m.RoomRESTID() || d.PersonRESTID() != m.PersonRESTID() {
				t.Errorf("%s in %s by %s", d.MessageRESTID(), d.RoomRESTID(), d.PersonRESTID())
			}
		})
	}
}

func TestDeviceAndServices(t *testing.T) {
	s, _, _, h, _ := world(t)
	if d := h.Device(); d.URL != "" || h.ServiceURL("conversation") != "" {
		t.Errorf("before Connect: %+v", d)
	}
	connect(t, h)
	d := h.Device()
	if got := s.Devices(s.Bot()); len(got) != 1 || d.URL != got[0].URL || d.UserID != s.Bot().ID || d.WebSocketURL == "" {
		t.Errorf("%+v, registered is %+v", d, got)
	}
	for _, name := range []string{"conversation", "wdm", "hydra"} {
		if u := h.ServiceURL(name); len(u) <= len(s.URL()) || u[:len(s.URL())] != s.URL() {
			t.Errorf("%s is at %q", name, u)
		}
	}
	if u := h.ServiceURL("teleport"); u != "" {
		t.Errorf("teleport is at %q", u)
	}
	clear(d.Services)
	if len(h.Device().Services) == 0 {
		t.Error("a copy was none")
	}
}

// get reads from the REST API as the bot.
func get(t *testing.T, s *webexmsgtest.Server, path string, out any) {
	t.Helper()
	cfg := s.Config()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, cfg.Endpoints.API+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+cfg.Token)
	res, err := cfg.HTTPClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, res.Status)
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		t.Fatal(err)
	}
}
