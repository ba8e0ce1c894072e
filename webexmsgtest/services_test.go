package webexmsgtest_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

func TestFiles(t *testing.T) {
	srv, alice, direct, _ := world(t)
	c := newClient(t, srv, srv.Bot()).connect()
	content := strings.Repeat("the quick brown fox ", 1000)
	id := alice.Post(direct, message{Text: "see", Files: []webexmsgtest.File{
		{Name: "fox.txt", MIMEType: "text/plain", Content: []byte(content), Quarantined: true},
		{Name: "fox.png", MIMEType: "image/png", Content: []byte("png"), Width: 4, Height: 3, Thumbnail: []byte("thumb")},
	}})
	a := c.activity()
	if a["verb"] != "share" || str(a, "object", "contentCategory") != "documents" {
		t.Errorf("activity is %v/%v", a["verb"], at(a, "object", "contentCategory"))
	}
	items := at(a, "object", "files", "items").([]any)
	open := func(v any, path ...string) string {
		t.Helper()
		plain, err := openJWE(c.key(direct.KeyURL()), str(v, path...))
		if err != nil {
			t.Fatal(err)
		}
		return string(plain)
	}
	if got := open(items[0], "displayName"); got != "fox.txt" {
		t.Errorf("name = %q", got)
	}
	if got := c.download(items[0], open(items[0], "scr")); got != content {
		t.Errorf("%d bytes came, of %d", len(got), len(content))
	}
	if got := c.download(items[1], open(items[1], "image", "scr")); got != "thumb" {
		t.Errorf("thumbnail = %q", got)
	}

	m := c.must(200, "GET", "/conversation/api/v1/messages/"+id, nil)
	address := at(m, "files").([]any)[0].(string)
	c.must(423, "GET", address, nil)
	alice.ScanFiles(direct, id)
	if status, got, _ := c.raw("GET", address, nil); status != 200 || string(got) != content {
		t.Errorf("by REST: %d with %d bytes", status, len(got))
	}
	stranger := newClient(t, srv, srv.NewPerson("carol@example.com", "Carol"))
	stranger.must(404, "GET", str(items[0], "url"), nil)
	stranger.must(404, "GET", address, nil)
}

// download gets and decrypts a file by its scr.
func (c *client) download(item any, scrJSON string) string {
	c.t.Helper()
	var scr struct{ Enc, Key, IV, AAD, Loc, Tag string }
	if err := json.Unmarshal([]byte(scrJSON), &scr); err != nil {
		c.t.Fatal(err)
	}
	real := str(c.must(200, "POST", "/v1/download/endpoints", object{"endpoints": []string{scr.Loc}}), "endpoints", scr.Loc)
	_, text, _ := c.raw("GET", real, nil)
	b64 := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			c.t.Fatal(err)
		}
		return b
	}
	block, err := aes.NewCipher(b64(scr.Key))
	if err != nil {
		c.t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		c.t.Fatal(err)
	}
	plain, err := gcm.Open(nil, b64(scr.IV), append(text, b64(scr.Tag)...), []byte(scr.AAD))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(plain)
}

func TestREST(t *testing.T) {
	srv := newServer(t, webexmsgtest.Options{Cluster: "urn:TEAM:eu-central-1_k:x"})
	alice := srv.NewPerson("alice@example.com", "Alice")
	r := srv.NewRoom("Team", alice, srv.Bot())
	c := newClient(t, srv, srv.Bot())
	me := c.must(200, "GET", "/v1/people/me", nil)
	wantID(t, me["id"], "ciscospark://us/PEOPLE/"+srv.Bot().ID)
	if me["type"] != "bot" {
		t.Errorf("type = %v", me["type"])
	}
	found := c.must(200, "GET", "/v1/people?email="+url.QueryEscape("ALICE@example.com"), nil)
	if got := at(found, "items").([]any); len(got) != 1 || str(got[0], "id") != alice.RESTID() {
		t.Errorf("people by email: %v", got)
	}
	c.must(200, "GET", "/v1/people/"+alice.RESTID(), nil)
	wantID(t, c.must(200, "GET", "/v1/rooms/"+r.RESTID(), nil)["id"], "ciscospark://urn:TEAM:eu-central-1_k/ROOM/"+r.ID)
	if n := len(at(c.must(200, "GET", "/v1/rooms", nil), "items").([]any)); n != 1 {
		t.Errorf("%d rooms", n)
	}
	if n := len(at(c.must(200, "GET", "/v1/memberships?roomId="+r.RESTID(), nil), "items").([]any)); n != 2 {
		t.Errorf("%d memberships", n)
	}

	l := newClient(t, srv, alice).connect()
	card := object{"type": "AdaptiveCard"}
	m := c.must(200, "POST", "/v1/messages", object{"roomId": r.RESTID(), "markdown": "**hi**",
		"attachments": []any{object{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}}})
	a := l.activity()
	wantID(t, m["id"], "ciscospark://urn:TEAM:eu-central-1_k/MESSAGE/"+str(a, "id"))
	if got := l.plain(a, "object", "displayName"); got != "**hi**" {
		t.Errorf("text = %q", got)
	}
	reply := c.must(200, "POST", "/v1/messages", object{"roomId": r.RESTID(), "text": "re", "parentId": m["id"]})
	if got := str(l.activity(), "parent", "id"); got != str(a, "id") || reply["parentId"] != m["id"] {
		t.Errorf("the reply is to %s", got)
	}
	c.must(200, "PUT", "/v1/messages/"+str(m, "id"), object{"roomId": r.RESTID(), "text": "edited"})
	if got := str(l.activity(), "parent", "type"); got != "edit" {
		t.Errorf("PUT is a %q", got)
	}
	if got := c.must(200, "GET", "/v1/messages/"+str(m, "id"), nil)["text"]; got != "edited" {
		t.Errorf("after PUT the text is %v", got)
	}
	l.must(404, "PUT", "/v1/messages/"+str(m, "id"), object{"text": "not hers"})
	action := l.must(200, "POST", "/v1/attachment/actions", object{"type": "submit", "messageId": m["id"], "inputs": object{"n": 1}})
	l.activity()
	got := c.must(200, "GET", "/v1/attachment/actions/"+str(action, "id"), nil)
	if at(got, "inputs", "n") != 1.0 || got["messageId"] != m["id"] {
		t.Errorf("submitted card is %v", got)
	}
	c.must(204, "DELETE", "/v1/messages/"+str(m, "id"), nil)
	if got := l.activity()["verb"]; got != "delete" {
		t.Errorf("DELETE is a %q", got)
	}
	c.must(404, "GET", "/v1/messages/"+str(m, "id"), nil)
	direct := c.must(200, "POST", "/v1/messages", object{"toPersonEmail": alice.Email, "text": "psst"})
	again := c.must(200, "POST", "/v1/messages", object{"toPersonId": alice.RESTID(), "text": "psst"})
	if direct["roomId"] != again["roomId"] || direct["roomType"] != "direct" {
		t.Errorf("direct messages go to %v and %v", direct["roomId"], again["roomId"])
	}
	c.must(404, "POST", "/v1/messages", object{"toPersonEmail": "nobody@example.com", "text": "psst"})
	c.must(404, "POST", "/v1/messages", object{"toPersonEmail": srv.Bot().Email, "text": "psst"})
	c.must(400, "POST", "/v1/messages", object{"roomId": r.RESTID()})
	if status, _, _ := c.do("POST", "/v1/messages", 7); status != 400 {
		t.Errorf("a body of 7: %d", status)
	}
}

func wantID(t *testing.T, id any, want string) {
	t.Helper()
	s, _ := id.(string)
	got, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || string(got) != want {
		t.Errorf("id is %q (%v), want %q", got, err, want)
	}
}

// TestSender posts as Cisco's SDK does: the client encrypts by itself.
func TestSender(t *testing.T) {
	srv := newServer(t)
	alice := srv.NewPerson("alice@example.com", "Alice")
	bot := newClient(t, srv, srv.Bot()).connect()
	c := newClient(t, srv, alice).connect()
	const conversation = "/conversation/api/v1"

	c.must(404, "GET", conversation+"/conversations/user/"+srv.Bot().ID, nil)
	c.ask("create", "/keys", object{"count": 1})
	created := at(c.answers()[0], "keys").([]any)[0]
	uri := str(created, "uri")
	var jwk jose.JSONWebKey
	raw, _ := json.Marshal(at(created, "jwk"))
	if err := jwk.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	key := jwk.Key.([]byte)
	bot.ask("retrieve", uri, nil)
	if a := bot.answers()[0]; a["status"] != 403.0 {
		t.Errorf("another may read an unbound key: %v", a)
	}

	seal := func(text string) string {
		enc, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		jwe, err := enc.Encrypt([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		s, err := jwe.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	r := c.must(201, "POST", conversation+"/conversations", object{
		"objectType": "conversation", "tags": []string{"ONE_ON_ONE"},
		"encryptionKeyUrl": uri, "defaultActivityEncryptionKeyUrl": uri,
		"kmsMessage": c.seal(jose.DIRECT, c.shared, c.kid, object{
			"requestId": "r1", "method": "create", "uri": "/resources", "client": c.credential(),
			"userIds": []string{alice.ID, srv.Bot().ID}, "keyUris": []string{uri},
		}),
		"activities": object{"items": []any{
			object{"verb": "create", "objectType": "activity"},
			object{"verb": "add", "object": object{"objectType": "person", "id": srv.Bot().ID}},
		}},
	})
	answer, err := openJWE(c.shared, str(r, "kmsMessage"))
	if err != nil || !strings.Contains(string(answer), `"status":201`) {
		t.Errorf("kmsMessage is %s, %v", answer, err)
	}
	if got := bot.activity(); got["verb"] != "create" || str(got, "target", "id") != str(r, "id") {
		t.Errorf("activity is %v", got)
	}
	c.activity()
	c.must(200, "GET", conversation+"/conversations/user/"+srv.Bot().ID, nil)

	post := func(path string, more object) object {
		t.Helper()
		body := object{"objectType": "activity", "verb": "post", "encryptionKeyUrl": uri,
			"target": object{"id": r["id"], "objectType": "conversation"}}
		for k, v := range more {
			body[k] = v
		}
		posted := c.must(200, "POST", conversation+path, body)
		c.activity()
		return posted
	}
	posted := post("/activities", object{"object": object{"objectType": "comment", "displayName": seal("sealed by the client")}})
	a := bot.activity()
	if a["id"] != posted["id"] || str(a, "actor", "entryUUID") != alice.ID {
		t.Errorf("activity is %v", a)
	}
	if got := bot.plain(a, "object", "displayName"); got != "sealed by the client" {
		t.Errorf("text = %q", got)
	}
	if got := bot.must(200, "GET", conversation+"/messages/"+str(a, "id"), nil)["text"]; got != "sealed by the client" {
		t.Errorf("by REST the text is %v", got)
	}

	space := c.must(200, "PUT", str(r, "url")+"/space", nil)
	upload := c.must(200, "POST", str(space, "spaceUrl")+"/upload_sessions", object{"fileSize": 3})
	if status, _, _ := c.raw("PUT", str(upload, "uploadUrl"), "abc"); status != 200 {
		t.Errorf("upload: %d", status)
	}
	file := str(c.must(200, "POST", str(upload, "finishUploadUrl"), object{"size": 3}), "downloadUrl")
	bot.must(404, "GET", file, nil)
	post("/content", object{"verb": "share", "object": object{"objectType": "content",
		"files": object{"items": []any{object{"objectType": "file", "url": file}}}}})
	bot.activity()
	if status, got, _ := bot.raw("GET", file, nil); status != 200 || string(got) != `"abc"` {
		t.Errorf("the shared file is %d, %q", status, got)
	}

	post("/activities", object{"verb": "delete", "object": object{"objectType": "activity", "id": posted["id"]}})
	bot.must(404, "GET", conversation+"/messages/"+str(a, "id"), nil)
	for _, body := range []any{7, object{}, object{"object": 7}, object{"verb": "post"}, object{"target": object{"id": "nonsense"}}} {
		for _, path := range []string{"/activities", "/content"} {
			if status, _, _ := c.do("POST", conversation+path, body); status != 400 && status != 404 {
				t.Errorf("POST %s of %v: %d", path, body, status)
			}
		}
	}
}
