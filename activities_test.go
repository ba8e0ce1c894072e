package webexmsg

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// A listener notes every event of activities that a Handler emits, with what
// matters of its payload, in one line.
type listener struct {
	h      *Handler
	s      *session
	lines  []string
	events []any
}

// listen makes a Handler that has the given keys and is nowhere connected, and
// delivers to it without a cloud.
func listen(t testing.TB, keys keySource, uris []string, change ...func(*Config)) *listener {
	t.Helper()
	cfg := Config{Token: "secret-token", AllowedHosts: []string{"localhost"}}
	for _, f := range change {
		f(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, uri := range uris {
		k, err := keys(uri)
		if err != nil {
			t.Fatal(err)
		}
		e := &keyEntry{uri: uri, key: k, done: make(chan struct{})}
		close(e.done)
		h.kms.keys[uri] = e
	}
	l := &listener{h: h, s: &session{h: h, cfg: h.cfg, kms: h.kms, log: h.cfg.Logger, callbacks: t.Context(), keys: t.Context()}}
	l.s.me.Store(&identity{userID: "11111111-1111-4111-8111-111111111111", bot: true})
	note := func(v any, format string, args ...any) {
		l.lines = append(l.lines, fmt.Sprintf(format, args...))
		l.events = append(l.events, v)
	}
	message := func(event string) func(DecryptedMessage) {
		return func(m DecryptedMessage) {
			line := fmt.Sprintf("%s %q", event, m.Text)
			for _, f := range []struct{ name, value string }{
				{"html", m.HTML}, {"parent", short(m.ParentID)}, {"people", strings.Join(m.MentionedPeople, ",")},
				{"groups", strings.Join(m.MentionedGroups, ",")}, {"title", m.RoomTitle},
			} {
				if f.value != "" {
					line += " " + f.name + "=" + f.value
				}
			}
			for _, f := range m.Files {
				line += fmt.Sprintf(" file=%s,%s,%d,%s", f.Name, f.MIMEType, f.Size, f.MalwareQuarantineState)
			}
			for _, c := range m.Cards {
				line += " card=" + string(c)
			}
			for _, c := range m.Links {
				line += fmt.Sprintf(" link=%s,%s", c.URL, c.Title)
			}
			note(m, "%s", line)
		}
	}
	h.OnMessageCreated(message("message:created"))
	h.OnMessageUpdated(message("message:updated"))
	h.OnMessageDeleted(func(m DeletedMessage) { note(m, "message:deleted %s", short(m.MessageID)) })
	h.OnAttachmentActionCreated(func(a AttachmentAction) {
		inputs, _ := json.Marshal(a.Inputs)
		note(a, "attachmentAction:created %s %s", short(a.MessageID), inputs)
	})
	membership := func(event string) func(MembershipActivity) {
		return func(m MembershipActivity) {
			note(m, "%s %s %s by %s %s", event, m.Action, short(m.PersonID), short(m.ActorID), short(m.MessageID))
		}
	}
	h.OnMembershipCreated(membership("membership:created"))
	h.OnMembershipUpdated(membership("membership:updated"))
	h.OnMembershipDeleted(membership("membership:deleted"))
	h.OnMembershipSeen(membership("membership:seen"))
	room := func(event string) func(RoomActivity) {
		return func(r RoomActivity) { note(r, "%s %s %q by %s", event, r.Action, r.Title, short(r.ActorID)) }
	}
	h.OnRoomCreated(room("room:created"))
	h.OnRoomUpdated(room("room:updated"))
	reaction := func(event string) func(ReactionActivity) {
		return func(r ReactionActivity) {
			note(r, "%s %q %s to %s by %s", event, r.Name, short(r.ReactionID), short(r.MessageID), short(r.PersonID))
		}
	}
	h.OnReactionCreated(reaction("reaction:created"))
	h.OnReactionDeleted(reaction("reaction:deleted"))
	h.OnReactionUpdated(func(r ReactionTally) { note(r, "reaction:updated %v to %s", r.Counts, short(r.MessageID)) })
	h.OnActivity(func(a Activity) { note(a, "activity %s/%s", a.Verb, a.ObjectType) })
	return l
}

// short is the beginning of an id, which is enough to know it by.
func short(id string) string { return id[:min(len(id), 8)] }

// deliver takes what follows data.activity of a frame through the Handler, and
// returns the lines that came of it.
func (l *listener) deliver(t testing.TB, raw []byte) []string {
	t.Helper()
	before := len(l.lines)
	if a := parseActivity(raw); a != nil && !l.s.deliver(job{a: a}) {
		t.Error("given up")
	}
	return l.lines[before:]
}

func vectorListener(t testing.TB, change ...func(*Config)) (*listener, activityVectors) {
	v, keys := loadActivities(t)
	var uris []string
	for uri := range v.Keys {
		uris = append(uris, uri)
	}
	return listen(t, keys, uris, change...), v
}

// TestEventsOfCisco has every frame that Cisco's SDK made come out as its
// event, in order.
func TestEventsOfCisco(t *testing.T) {
	const me, alice = "11111111-1111-4111-8111-111111111111", "22222222"
	want := []string{
		`message:created "plain text, no html"`,
		`message:created "bold ünïcode 🎉" html=<p><b>bold</b> ünïcode 🎉</p>`,
		`message:created "Bot hello" html=<p><spark-mention data-object-type="person" data-object-id="` + me + `">Bot</spark-mention> hello</p> people=` + me,
		`message:created "All hello" html=<p><spark-mention data-object-type="groupMention" data-group-type="all">All</spark-mention> hello</p> groups=all`,
		`message:created "a threaded reply" parent=d8fc1116`,
		`message:updated "edited text" html=<p>edited text</p> parent=d8fc1116`,
		`reaction:created "heart" c735907a to d8fc1116 by ` + alice,
		`attachmentAction:created d8fc1116 {"agree":"true","count":3,"name":"Alice","nested":{"a":[1,2]}}`,
		`membership:seen acknowledge 22222222 by 22222222 d8fc1116`,
		`message:deleted d8fc1116`,
		`membership:created add 11111111 by 22222222 `,
		`membership:deleted leave 11111111 by 22222222 `,
		`membership:updated assignModerator 11111111 by 22222222 `,
		`membership:updated unassignModerator 11111111 by 22222222 `,
		`room:updated update "new title" by 22222222`,
		`room:updated lock "" by 22222222`,
		`room:updated unlock "" by 22222222`,
		`membership:updated hide 22222222 by 22222222 `,
		`message:created "see attached" html=<p>see attached</p> file=fox.txt,text/plain,3500,`,
		`message:created "card fallback" card={"type":"AdaptiveCard","version":"1.3","body":[{"type":"Input.Text","id":"name"}],"actions":[{"type":"Action.Submit","title":"OK"}]}`,
		`message:created "wrapped with A256KW"`,
		`message:created "not encrypted at all"`,
	}
	l, v := vectorListener(t)
	if len(v.Cases) != len(want) {
		t.Fatalf("there are %d frames, this test knows %d", len(v.Cases), len(want))
	}
	for i, c := range v.Cases {
		f, err := parseFrame(c.Frame)
		if err != nil || f.Activity == nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		got := l.deliver(t, f.Activity.raw)
		if len(got) != 2 || got[0] != want[i] || !strings.HasPrefix(got[1], "activity "+f.Activity.Verb+"/") {
			t.Errorf("%s: got %q, want %q", c.Name, got, want[i])
		}
		for _, e := range l.events[len(l.events)-2:] {
			common(t, c.Name, e)
		}
	}
}

// common checks what all payloads have, and what all of the vectors have alike.
func common(t *testing.T, name string, event any) {
	t.Helper()
	v := reflect.ValueOf(event)
	if s := fmt.Sprintf("%+v", event); strings.Contains(s, "lEyfhYTFbDEx3QI21IHoBQGZRR3M68i7sjW94oh49Tc") {
		t.Errorf("%s: a %T shows the key of a file", name, event)
	}
	for field, want := range map[string]any{
		"RoomID": "13a169e0-8a71-4fa7-8577-c1850271f6ad", "RoomType": RoomGroup,
		"ActorID": "22222222-2222-4222-8222-222222222222", "ActorEmail": "alice@example.com",
		"ActorDisplayName": "alice@example.com", "ActorOrgID": "99999999-9999-4999-8999-999999999999",
	} {
		f := v.FieldByName(field)
		if !f.IsValid() {
			f = v.FieldByName("Person" + strings.TrimPrefix(field, "Actor"))
		}
		if f.IsValid() && f.Interface() != want {
			t.Errorf("%s: %T.%s is %v, want %v", name, event, field, f, want)
		}
	}
	for _, field := range []string{"Created", "Deleted", "Published"} {
		if f := v.FieldByName(field); f.IsValid() && f.Interface().(time.Time).Year() != 2026 {
			t.Errorf("%s: %T.%s is %v", name, event, field, f)
		}
	}
	if !json.Valid(v.FieldByName("Raw").Bytes()) {
		t.Errorf("%s: %T.Raw is no JSON", name, event)
	}
}

// TestFileOfCisco downloads and opens the file that Cisco's SDK encrypted.
func TestFileOfCisco(t *testing.T) {
	var file struct {
		URL, CiphertextBase64, PlaintextSHA256 string
		PlaintextBytes                         int
	}
	var cases struct {
		Cases []struct{ File json.RawMessage }
	}
	load(t, "activities.json", &cases)
	for _, c := range cases.Cases {
		if c.File != nil {
			if err := json.Unmarshal(c.File, &file); err != nil {
				t.Fatal(err)
			}
		}
	}
	ciphertext, err := base64.StdEncoding.DecodeString(file.CiphertextBase64)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	l, v := vectorListener(t, func(c *Config) {
		c.HTTPClient = &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			asked = append(asked, req.Method+" "+req.URL.String())
			status, body := http.StatusOK, string(ciphertext)
			if req.Method == http.MethodPost {
				status, body = http.StatusNotFound, "{}"
			}
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: req}, nil
		})}
	})
	for _, c := range v.Cases {
		if f, err := parseFrame(c.Frame); err == nil {
			l.deliver(t, f.Activity.raw)
		}
	}
	opened := 0
	for _, e := range l.events {
		m, ok := e.(DecryptedMessage)
		if !ok || len(m.Files) == 0 {
			continue
		}
		opened++
		r, err := l.h.OpenFile(context.Background(), m.Files[0])
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		sum := sha256.Sum256(plain)
		if err != nil || len(plain) != file.PlaintextBytes || hex.EncodeToString(sum[:]) != file.PlaintextSHA256 {
			t.Errorf("%d bytes, %v, SHA-256 %x", len(plain), err, sum)
		}
	}
	if want := []string{"POST https://localhost/v1/download/endpoints", "GET " + file.URL}; opened != 1 || !slices.Equal(asked, want) {
		t.Errorf("%d files, requests %q, want %q", opened, asked, want)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

const (
	someRoom  = `"target":{"id":"r","tags":["GROUP"]}`
	somebody  = `"actor":{"entryUUID":"p"}`
	somewhere = someRoom + `,` + somebody
)

// TestLooseActivities has activities that lack something, or have something
// odd, come out as the activity event alone or, where nothing that matters is
// missing, as what they are.
func TestLooseActivities(t *testing.T) {
	for _, c := range []struct{ activity, want string }{
		{`{"verb":"post","object":{"objectType":"comment","displayName":"x"},` + somewhere + `}`, `message:created "x"`},
		{`{"verb":"post","object":{"objectType":"comment","displayName":42},` + somewhere + `}`, ``},
		{`{"verb":"post","object":{"objectType":"comment","displayName":null},` + somewhere + `}`, ``},
		{`{"verb":"post","object":{"objectType":"comment"},` + somewhere + `}`, ``},
		{`{"verb":"post","object":{"objectType":["comment"],"displayName":"x"},` + somewhere + `}`, ``},
		{`{"verb":"post","object":"comment",` + somewhere + `}`, ``},
		{`{"verb":"post","object":null,` + somewhere + `}`, ``},
		{`{"verb":"post",` + somewhere + `}`, ``},
		{`{"verb":["post"],"object":{"objectType":"comment","displayName":"x"},` + somewhere + `}`, ``},
		{`{"verb":"post","object":{"objectType":"comment","displayName":"x"},` + someRoom + `}`, ``},
		{`{"verb":"post","object":{"objectType":"comment","displayName":"x"},` + somebody + `}`, ``},
		{`{"verb":"post","object":{"objectType":"comment","displayName":"x"},"target":17,` + somebody + `}`, ``},
		{`{"verb":"post","object":{"objectType":"comment","displayName":"x","mentions":"all","files":{"items":17},"cards":{},"links":[]},` + somewhere + `}`, `message:created "x"`},
		{`{"verb":"post","object":{"objectType":"comment","displayName":"x","mentions":{"items":[null,17,"y",{"id":9},{"id":"q"}]},"groupMentions":{"items":[null,{"groupType":"all"}]}},` + somewhere + `}`, `message:created "x" people=q groups=all`},
		{`{"verb":"post","object":{"objectType":"comment","cards":[17,null,"not JSON","{\"a\":1}"]},` + somewhere + `}`, `message:created "" card={"a":1}`},
		{`{"verb":"share","object":{"objectType":"content","files":{"items":[{"fileSize":"many","displayName":"n"}]}},` + somewhere + `}`, `message:created "" file=n,,0,`},
		{`{"verb":"share","object":{"objectType":"content","links":{"items":[{"sslr":"{\"loc\":\"https://x\"}","displayName":"t"},{"sslr":{"loc":"x"}}]}},` + somewhere + `}`, `message:created "" link=https://x,t link=,`},
		{`{"verb":"post","parent":{"type":"edit"},"object":{"objectType":"comment","displayName":"x"},` + somewhere + `}`, ``},
		{`{"verb":"post","parent":"edit","object":{"objectType":"comment","displayName":"x"},` + somewhere + `}`, `message:created "x"`},
		{`{"verb":"update","object":{"objectType":"comment","displayName":"x"},` + somewhere + `}`, ``},
		{`{"verb":"update","object":{"id":"m","objectType":"content","files":{"items":[{"displayName":"n","malwareQuarantineState":"safe"}]}},` + somewhere + `}`, `message:updated "" parent=m file=n,,0,safe`},
		{`{"verb":"delete","object":{"objectType":"activity"},` + somewhere + `}`, ``},
		{`{"verb":"delete","object":{"objectType":"activity","id":7},` + somewhere + `}`, ``},
		{`{"verb":"delete","object":{"objectType":"activity","id":"m"},` + somewhere + `}`, `message:deleted m`},
		{`{"verb":"delete","object":{"objectType":"activity","id":"x"},"parent":{"id":"m","type":"reaction"},` + somewhere + `}`, `reaction:deleted "" x to m by p`},
		{`{"verb":"delete","object":{"objectType":"activity","id":"x","parent":{"id":"m","type":"reaction"}},` + somewhere + `}`, `reaction:deleted "" x to m by p`},
		{`{"verb":"delete","object":{"objectType":"reaction2","id":"x"},` + somewhere + `}`, `reaction:deleted "" x to  by p`},
		{`{"verb":"tombstone","object":{"objectType":"activity","id":"m"},` + somewhere + `}`, ``},
		{`{"verb":"cardAction","object":{"objectType":"submit","inputs":"{\"n\":12345678901234567890.10}"},"parent":{"id":"m"},` + somewhere + `}`, `attachmentAction:created m {"n":12345678901234567890.10}`},
		{`{"verb":"cardAction","object":{"objectType":"submit","inputs":"[1]"},"parent":{"id":"m"},` + somewhere + `}`, ``},
		{`{"verb":"cardAction","object":{"objectType":"submit","inputs":"null"},"parent":{"id":"m"},` + somewhere + `}`, ``},
		{`{"verb":"cardAction","object":{"objectType":"submit","inputs":"{} {}"},"parent":{"id":"m"},` + somewhere + `}`, ``},
		{`{"verb":"cardAction","object":{"objectType":"submit","inputs":{"a":1}},"parent":{"id":"m"},` + somewhere + `}`, ``},
		{`{"verb":"cardAction","object":{"objectType":"submit","inputs":"{}"},` + somewhere + `}`, ``},
		{`{"verb":"add","object":{"objectType":"person","id":"A@example.com","entryUUID":"Q"},` + somewhere + `}`, `membership:created add q by p `},
		{`{"verb":"add","object":{"objectType":"person"},` + somewhere + `}`, ``},
		{`{"verb":"add","object":{"objectType":"content","displayName":"x"},` + somewhere + `}`, ``},
		{`{"verb":"acknowledge","object":{"objectType":"activity"},` + somewhere + `}`, ``},
		{`{"verb":"create","object":{"id":"n","objectType":"conversation","participants":{"items":[{"id":"q"},7,{}]}},` + somebody + `}`, `room:created create "" by p|membership:created create q by p `},
		{`{"verb":"add","object":{"objectType":"reaction2"},"parent":{"id":"m","type":"reaction"},` + somewhere + `}`, ``},
		{`{"verb":"whatever","object":{"objectType":"reaction2Summary","reactions":[null,{"displayName":"heart","count":2},{"displayName":"x","count":"many"}],"parent":{"id":"m"}},` + somewhere + `}`, `reaction:updated map[heart:2 x:0] to m`},
		{`{"verb":"update","object":{"objectType":"reaction2Summary"},` + somewhere + `}`, ``},
		{`{"verb":"teleport","object":{"objectType":"person","id":"q"},` + somewhere + `}`, ``},
		{`{}`, ``},
	} {
		l := listen(t, nil, nil)
		got := l.deliver(t, []byte(c.activity))
		var want []string
		if c.want != "" {
			want = strings.Split(c.want, "|")
		}
		if n := len(got) - 1; n < 0 || !strings.HasPrefix(got[n], "activity ") || !slices.Equal(got[:n], want) {
			t.Errorf("%s\n  came out as %q, want %q", c.activity, got, want)
		}
	}
	for _, junk := range []string{`null`, `17`, `[]`, `"x"`, ``, `{`} {
		if got := listen(t, nil, nil).deliver(t, []byte(junk)); got != nil {
			t.Errorf("%s came out as %q", junk, got)
		}
	}
}

// TestCiphertextIsNoText damages a JWE in every way: it becomes an error, and
// no text.
func TestCiphertextIsNoText(t *testing.T) {
	const uri = "kms://kms.harness.example/keys/84ac6d9e-f485-4d39-acec-da51041ddf32"
	_, keys := loadActivities(t)
	k, err := keys(uri)
	if err != nil {
		t.Fatal(err)
	}
	good, err := k.Seal([]byte("secret"), "")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	for name, jwe := range map[string]string{
		"cut":        good[:len(good)-3],
		"four parts": strings.Join(parts[:4], "."),
		"two parts":  strings.Join(parts[:2], "."),
		"six parts":  good + ".x",
		"padded":     good + "=",
		"bit":        strings.Join([]string{parts[0], parts[1], parts[2], "AAAA" + parts[3][4:], parts[4]}, "."),
		"header":     "eyJhbGciOiJub25lIn0" + good[len(parts[0]):],
	} {
		for field, object := range map[string]string{
			"displayName": `{"objectType":"comment","displayName":"%s"}`,
			"content":     `{"objectType":"comment","displayName":"x","content":"%s"}`,
			"card":        `{"objectType":"comment","displayName":"x","cards":["{}","%s"]}`,
			"file":        `{"objectType":"comment","displayName":"x","files":{"items":[{"displayName":"%s"}]}}`,
			"link":        `{"objectType":"comment","displayName":"x","links":{"items":[{"sslr":"%s"}]}}`,
		} {
			l := listen(t, keys, []string{uri})
			got := l.deliver(t, fmt.Appendf(nil, `{"verb":"post","encryptionKeyUrl":"%s","object":`+object+`,%s}`, uri, jwe, somewhere))
			if !slices.Equal(got, []string{"activity post/comment"}) {
				t.Errorf("%s, %s: %q", name, field, got)
			}
			if _, ok := l.h.Status().LastError.(*DecryptError); !ok {
				t.Errorf("%s, %s: error %v", name, field, l.h.Status().LastError)
			}
		}
	}
	// Without its title, a message is a message all the same.
	l := listen(t, keys, []string{uri})
	got := l.deliver(t, fmt.Appendf(nil, `{"verb":"post","encryptionKeyUrl":"%s","object":{"objectType":"comment","displayName":"%s"},"target":{"id":"r","displayName":"%s.x"},%s}`,
		uri, good, good, somebody))
	if want := []string{`message:created "secret"`, "activity post/comment"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestUnknownActivitiesAreOpened has strings in unknown places opened, each
// with the key that is named nearest to it, and never the key of a file.
func TestUnknownActivitiesAreOpened(t *testing.T) {
	const uri, other = "kms://kms.harness.example/keys/84ac6d9e-f485-4d39-acec-da51041ddf32", "kms://nobody/keys/1"
	_, keys := loadActivities(t)
	k, err := keys(uri)
	if err != nil {
		t.Fatal(err)
	}
	seal := func(s string) string {
		sealed, err := k.Seal([]byte(s), "")
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	file := seal("the key of a file")
	l := listen(t, keys, []string{uri})
	l.h.cfg.KeyTimeout = 0 // of the other key
	l.h.kms.up = true
	l.deliver(t, fmt.Appendf(nil, `{"id":"1","verb":"teleport","encryptionKeyUrl":"%s","object":{"objectType":"pad","where":["%s"],"scr":"%[3]s","sslr":"%[3]s",
		"inner":{"encryptionKeyUrl":"%[4]s","deep":"%[5]s"}, "n": 1.50}}`, uri, seal(`the "moon"`), file, other, seal("lost")))
	if len(l.events) != 1 {
		t.Fatalf("%q", l.lines)
	}
	raw := string(l.events[0].(Activity).Raw)
	if !strings.Contains(raw, `["the \"moon\""]`) || !strings.Contains(raw, file) || strings.Contains(raw, "lost") || !strings.Contains(raw, `"deep":"ey`) || !strings.Contains(raw, `1.50`) {
		t.Errorf("Raw is %s", raw)
	}
}

// TestReactionIsRememberedAsOne withdraws reactions by activities that do not
// say that this is what they do, as those of Cisco's SDK.
func TestReactionIsRememberedAsOne(t *testing.T) {
	l := listen(t, nil, nil)
	add := func(n int) {
		l.deliver(t, fmt.Appendf(nil, `{"id":"x%d","verb":"add","object":{"objectType":"reaction2","displayName":"heart"},"parent":{"id":"m","type":"reaction"},%s}`, n, somewhere))
	}
	withdraw := func(n int) string {
		return l.deliver(t, fmt.Appendf(nil, `{"id":"y%d","verb":"delete","object":{"objectType":"activity","id":"x%d"},%s}`, n, n, somewhere))[0]
	}
	add(0)
	if got, want := withdraw(0), `reaction:deleted "heart" x0 to m by p`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for n := range maxKnownReactions + 5 {
		add(n) // 0 again, which keeps its place
	}
	if got := len(l.h.reactions.known); got != maxKnownReactions {
		t.Errorf("%d are remembered", got)
	}
	if got, want := withdraw(maxKnownReactions+4), fmt.Sprintf(`reaction:deleted "heart" x%d to m by p`, maxKnownReactions+4); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := withdraw(4), `message:deleted x4`; got != want {
		t.Errorf("got %s, want %s: it is long forgotten", got, want)
	}
}

func FuzzActivity(f *testing.F) {
	v, keys := loadActivities(f)
	var uris []string
	for uri := range v.Keys {
		uris = append(uris, uri)
	}
	for _, c := range v.Cases {
		if fr, err := parseFrame(c.Frame); err == nil {
			f.Add([]byte(fr.Activity.raw))
		}
	}
	f.Add([]byte(`{"verb":"create","object":{"id":"n","objectType":"conversation","participants":{"items":[{"id":"q"},7,{}]}},"actor":{"id":"p"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l := listen(t, keys, uris)
		l.h.cfg.KeyTimeout = 0
		l.h.kms.up = true
		l.deliver(t, raw)
		for i, e := range l.events {
			v := reflect.ValueOf(e)
			if !json.Valid(v.FieldByName("Raw").Bytes()) {
				t.Errorf("Raw is no JSON: %s", v.FieldByName("Raw").Bytes())
			}
			if _, ok := e.(Activity); ok != (i == len(l.events)-1) {
				t.Errorf("the activity event is not the last: %q", l.lines)
			}
		}
	})
}
