package webexmsg_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// hear returns a channel of the payloads of one event.
func hear[T any](t *testing.T, h *webexmsg.Handler, event string) <-chan T {
	t.Helper()
	c := make(chan T, 100)
	h.On(event, func(v T) { c <- v })
	return c
}

// TestEveryVerb has Alice do everything that can be done in a room, and the
// bot hear of it.
func TestEveryVerb(t *testing.T) {
	s := newServer(t)
	bot := s.Bot()
	alice := s.NewPerson("alice@example.com", "Alice")
	carol := s.NewPerson("carol@example.com", "Carol")
	h, _ := newHandler(t, s.Config())
	var (
		messages      = hear[webexmsg.DecryptedMessage](t, h, "message:created")
		updates       = hear[webexmsg.DecryptedMessage](t, h, "message:updated")
		actions       = hear[webexmsg.AttachmentAction](t, h, "attachmentAction:created")
		joined        = hear[webexmsg.MembershipActivity](t, h, "membership:created")
		changed       = hear[webexmsg.MembershipActivity](t, h, "membership:updated")
		left          = hear[webexmsg.MembershipActivity](t, h, "membership:deleted")
		seen          = hear[webexmsg.MembershipActivity](t, h, "membership:seen")
		rooms         = hear[webexmsg.RoomActivity](t, h, "room:created")
		roomUpdates   = hear[webexmsg.RoomActivity](t, h, "room:updated")
		reactions     = hear[webexmsg.ReactionActivity](t, h, "reaction:created")
		withdrawals   = hear[webexmsg.ReactionActivity](t, h, "reaction:deleted")
		tallies       = hear[webexmsg.ReactionTally](t, h, "reaction:updated")
		activities    = hear[webexmsg.Activity](t, h, "activity")
		deletedEvents = hear[webexmsg.DeletedMessage](t, h, "message:deleted")
	)
	connect(t, h)
	follows := func(verb, objectType, id string) {
		t.Helper()
		if a := next(t, activities); a.Verb != verb || a.ObjectType != objectType || id != "" && a.ID != id || a.ActorID != alice.ID || a.Published.IsZero() {
			t.Errorf("after it came %+v, want %s/%s %s", a, verb, objectType, id)
		}
	}

	room := s.NewRoom("Secret plans", alice, bot)
	if r := next(t, rooms); r.Title != "Secret plans" || r.Action != "create" || r.RoomID != room.ID || r.RoomType != webexmsg.RoomGroup ||
		r.ActorID != alice.ID || r.ActorEmail != alice.Email || r.ActorDisplayName != "Alice" || r.RoomRESTID() != room.RESTID() || r.ActorRESTID() != alice.RESTID() {
		t.Errorf("%+v", r)
	}
	members := []string{next(t, joined).PersonID, next(t, joined).PersonID}
	if !slices.Equal(members, []string{alice.ID, bot.ID}) {
		t.Errorf("the first members are %q", members)
	}
	follows("create", "conversation", "")

	about := func(m webexmsg.MembershipActivity, action string, person *webexmsgtest.Person, id string) {
		t.Helper()
		if m.ID != id || m.Action != action || m.PersonID != person.ID || m.PersonEmail != person.Email || m.ActorID != alice.ID || m.ActorEmail != alice.Email ||
			m.RoomID != room.ID || m.Created.IsZero() || m.PersonRESTID() != person.RESTID() || m.RoomRESTID() != room.RESTID() || m.ActorRESTID() != alice.RESTID() {
			t.Errorf("%+v, want %s of %s", m, action, person.Email)
		}
		if kind, ids, _, err := webexmsg.ParseRESTID(m.RESTID()); kind != webexmsg.KindMembership || ids != person.ID+":"+room.ID || err != nil {
			t.Errorf("membership %s %s, %v", kind, ids, err)
		}
	}
	id := alice.Add(room, carol)
	about(next(t, joined), "add", carol, id)
	follows("add", "person", id)
	id = alice.SetModerator(room, carol, true)
	about(next(t, changed), "assignModerator", carol, id)
	follows("assignModerator", "person", id)
	id = alice.SetModerator(room, carol, false)
	about(next(t, changed), "unassignModerator", carol, id)
	follows("unassignModerator", "person", id)
	id = alice.Remove(room, carol)
	about(next(t, left), "leave", carol, id)
	follows("leave", "person", id)

	for action, act := range map[string]func() string{
		"update": func() string { return alice.Rename(room, "Public plans") },
		"lock":   func() string { return alice.Lock(room) },
		"unlock": func() string { return alice.Unlock(room) },
	} {
		id := act()
		want := map[string]string{"update": "Public plans"}[action]
		if r := next(t, roomUpdates); r.ID != id || r.Action != action || r.Title != want || r.RoomID != room.ID || r.ActorID != alice.ID {
			t.Errorf("%+v, want %s %q", r, action, want)
		}
		follows(action, "conversation", id)
	}

	card := map[string]any{"type": "AdaptiveCard", "version": "1.3", "body": []any{}}
	message := alice.Post(room, webexmsgtest.Message{Text: "fill this in", Cards: []any{card, card}, Mentions: []*webexmsgtest.Person{bot}})
	m := next(t, messages)
	var got any
	if len(m.Cards) != 2 || json.Unmarshal(m.Cards[1], &got) != nil || !reflect.DeepEqual(got, any(card)) || m.PersonDisplayName != "Alice" || m.PersonOrgID != alice.OrgID {
		t.Errorf("%+v", m)
	}
	follows("post", "comment", message)

	inputs := `{"big":12345678901234567890,"pi":3.1400,"nested":{"list":[1,{"x":null}],"s":"<&>"},"yes":true}`
	id = alice.SubmitCard(room, message, json.RawMessage(inputs))
	a := next(t, actions)
	nested := map[string]any{"list": []any{json.Number("1"), map[string]any{"x": nil}}, "s": "<&>"}
	want := map[string]any{"big": json.Number("12345678901234567890"), "pi": json.Number("3.1400"), "nested": nested, "yes": true}
	if a.ID != id || a.MessageID != message || a.PersonID != alice.ID || a.RoomID != room.ID || !reflect.DeepEqual(a.Inputs, want) || a.PersonEmail != alice.Email {
		t.Errorf("%+v", a)
	}
	follows("cardAction", "submit", id)

	heart := alice.React(room, message, "heart")
	if r := next(t, reactions); r.ID != heart || r.ReactionID != heart || r.Name != "heart" || r.MessageID != message || r.PersonID != alice.ID || r.RoomID != room.ID || r.MessageRESTID() != m.RESTID() {
		t.Errorf("%+v", r)
	}
	follows("add", "reaction2", heart)
	id = alice.Unreact(room, heart)
	if r := next(t, withdrawals); r.ID != id || r.ReactionID != heart || r.Name != "heart" || r.MessageID != message || r.PersonID != alice.ID {
		t.Errorf("%+v", r)
	}
	follows("delete", "activity", id)
	counts := map[string]int{"heart": 3, "thumbsup": 1}
	id = alice.ReactionSummary(room, message, counts)
	if r := next(t, tallies); r.ID != id || r.MessageID != message || !maps.Equal(r.Counts, counts) || r.RoomID != room.ID {
		t.Errorf("%+v", r)
	}
	follows("update", "reaction2Summary", id)

	id = alice.MarkRead(room, message)
	r := next(t, seen)
	about(r, "acknowledge", alice, id)
	if r.MessageID != message || r.MessageRESTID() != m.RESTID() {
		t.Errorf("%+v", r)
	}
	follows("acknowledge", "activity", id)

	direct := s.NewDirectRoom(alice, bot)
	if r := next(t, rooms); r.RoomType != webexmsg.RoomDirect || r.Title != "" {
		t.Errorf("%+v", r)
	}
	follows("create", "conversation", "")
	id = alice.Hide(direct)
	if m := next(t, changed); m.ID != id || m.Action != "hide" || m.PersonID != alice.ID || m.RoomType != webexmsg.RoomDirect {
		t.Errorf("%+v", m)
	}
	follows("hide", "conversation", id)

	// What has no other event.
	id = alice.Tombstone(room, message)
	follows("tombstone", "activity", id)
	s.PostRaw(room, map[string]any{
		"id": "x1", "verb": "teleport", "actor": map[string]any{"id": alice.ID}, "target": map[string]any{"id": room.ID},
		"object": map[string]any{"objectType": "pad", "label": s.Encrypt(room, "moon")}, "encryptionKeyUrl": room.KeyURL(),
	})
	unknown := next(t, activities)
	var raw struct{ Object struct{ Label string } }
	if json.Unmarshal(unknown.Raw, &raw) != nil || raw.Object.Label != "moon" || unknown.Verb != "teleport" || unknown.ObjectType != "pad" || unknown.RoomRESTID() != room.RESTID() {
		t.Errorf("%+v", unknown)
	}
	if n := len(deletedEvents) + len(messages) + len(updates); n != 0 {
		t.Errorf("%d events that were none", n)
	}
}

// TestLinksAndScans posts what a message can hold beside text and files.
func TestLinksAndScans(t *testing.T) {
	_, alice, room, h, _ := world(t)
	messages := hear[webexmsg.DecryptedMessage](t, h, "message:created")
	updates := hear[webexmsg.DecryptedMessage](t, h, "message:updated")
	connect(t, h)

	alice.Post(room, webexmsgtest.Message{Text: "look", Links: []webexmsgtest.Link{{URL: "https://example.com/a?b=c", Title: "A page"}}})
	if m := next(t, messages); m.Text != "look" || !slices.Equal(m.Links, []webexmsg.Link{{URL: "https://example.com/a?b=c", Title: "A page"}}) {
		t.Errorf("%+v", m)
	} else if strings.Contains(string(m.Raw), "example.com/a") || !strings.Contains(string(m.Raw), "A page") {
		t.Error("Raw shows a link's reference, in which a key may be, or no title")
	}

	id := alice.Post(room, webexmsgtest.Message{Files: []webexmsgtest.File{
		{Name: "a.png", MIMEType: "image/png", Content: []byte("pixels"), Width: 640, Height: 480, Thumbnail: []byte("small"), Quarantined: true},
		{Name: "b", Content: []byte("bytes"), Quarantined: true},
	}})
	m := next(t, messages)
	if m.Text != "" || len(m.Files) != 2 || m.Files[0].Name != "a.png" || m.Files[0].Width != 640 || m.Files[0].Height != 480 || m.Files[0].Thumbnail == nil ||
		m.Files[0].MalwareQuarantineState != "unscanned" || m.Files[1].Thumbnail != nil || m.Files[1].Size != 5 {
		t.Errorf("%+v", m)
	}
	if kind, ref, _, err := webexmsg.ParseRESTID(m.Files[1].RESTID()); kind != webexmsg.KindContent || ref != id+"/1" || err != nil {
		t.Errorf("%s %s %v", kind, ref, err)
	}
	alice.ScanFiles(room, id)
	u := next(t, updates)
	if u.ParentID != id || len(u.Files) != 2 || u.Files[0].MalwareQuarantineState != "safe" || u.RESTID() != m.RESTID() || u.Files[1].RESTID() != m.Files[1].RESTID() {
		t.Errorf("%+v", u)
	}
}

// TestMentionsFromHTML leaves out the fields that say whom a message mentions.
func TestMentionsFromHTML(t *testing.T) {
	s, alice, room, h, _ := world(t)
	messages := hear[webexmsg.DecryptedMessage](t, h, "message:created")
	connect(t, h)
	for _, c := range []struct {
		html           string
		people, groups []string
	}{
		{`<p><spark-mention data-object-type="person" data-object-id="AAA">A</spark-mention> and <SPARK-MENTION data-object-id=bbb data-object-type='person'/> and again
			<spark-mention data-object-type="person" data-object-id="aaa">A</spark-mention>`, []string{"aaa", "bbb"}, nil},
		{`<spark-mention data-object-type="groupMention" data-group-type="all">All</spark-mention>`, nil, []string{"all"}},
		{`<spark-mention>x</spark-mention><spark-mention data-object-type="person"><spark-mention data-object-type="x" data-object-id="y">`, nil, nil},
		{`<!-- <spark-mention data-object-type="person" data-object-id="a"> --> &lt;spark-mention data-object-type="person" data-object-id="b"&gt;`, nil, nil},
		{`<spark-mention data-object-type="person" data-object-id="a`, nil, nil},
	} {
		alice.Post(room, webexmsgtest.Message{Text: "hi", HTML: c.html})
		if m := next(t, messages); !slices.Equal(m.MentionedPeople, c.people) || !slices.Equal(m.MentionedGroups, c.groups) {
			t.Errorf("%s: %q, %q", c.html, m.MentionedPeople, m.MentionedGroups)
		}
	}
	alice.Post(room, webexmsgtest.Message{Text: "hi", HTML: `<spark-mention data-object-type="person" data-object-id="other">`, Mentions: []*webexmsgtest.Person{s.Bot()}})
	if m := next(t, messages); !slices.Equal(m.MentionedPeople, []string{s.Bot().ID}) {
		t.Errorf("%q: the fields count, if there are any", m.MentionedPeople)
	}
}

// TestOwnDoings has the bot do things itself.
func TestOwnDoings(t *testing.T) {
	for _, include := range []bool{false, true} {
		t.Run(fmt.Sprint(include), func(t *testing.T) {
			s, alice, room, h, _ := world(t, func(c *webexmsg.Config) { c.IncludeSelfMessages = include })
			bot := s.Bot()
			activities := hear[webexmsg.Activity](t, h, "activity")
			reactions := hear[webexmsg.ReactionActivity](t, h, "reaction:created")
			withdrawals := hear[webexmsg.ReactionActivity](t, h, "reaction:deleted")
			actions := hear[webexmsg.AttachmentAction](t, h, "attachmentAction:created")
			memberships := hear[webexmsg.MembershipActivity](t, h, "membership:deleted")
			titles := hear[webexmsg.RoomActivity](t, h, "room:updated")
			seen := hear[webexmsg.MembershipActivity](t, h, "membership:seen")
			connect(t, h)
			group := s.NewRoom("Group", alice, bot)
			next(t, activities)

			id := bot.Post(room, text("mine"))
			bot.Edit(room, id, text("still mine"))
			heart := bot.React(room, id, "heart")
			bot.Unreact(room, heart)
			bot.SubmitCard(room, id, map[string]any{})
			bot.Delete(room, id)
			bot.Rename(group, "Ours")
			bot.MarkRead(room, id)
			bot.Leave(group)
			next(t, memberships)
			next(t, titles)
			next(t, seen)

			alice.Post(room, text("the end"))
			var verbs []string
			for len(verbs) == 0 || verbs[len(verbs)-1] != "the end" {
				a := next(t, activities)
				verb := a.Verb
				if a.ActorID == alice.ID {
					verb = "the end"
				}
				verbs = append(verbs, verb)
			}
			slices.Sort(verbs) // of two rooms
			want := []string{"acknowledge", "the end"}
			if include {
				want = []string{"acknowledge", "add", "cardAction", "delete", "delete", "post", "post", "the end"}
			}
			verbs = slices.DeleteFunc(verbs, func(v string) bool { return v == "update" || v == "leave" })
			if !slices.Equal(verbs, want) {
				t.Errorf("heard %q, want %q", verbs, want)
			}
			if n := len(reactions) + len(withdrawals) + len(actions); n != map[bool]int{true: 3}[include] {
				t.Errorf("%d reactions and cards", n)
			}
		})
	}
}

// TestUnheardWaitsForNoKey has KMS be silent: what nobody listens to does not
// hold up its room.
func TestUnheardWaitsForNoKey(t *testing.T) {
	s := newServer(t)
	alice := s.NewPerson("alice@example.com", "Alice")
	room := s.NewDirectRoom(alice, s.Bot())
	h, err := webexmsg.New(s.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disconnect(t, h) })
	seen := hear[webexmsg.MembershipActivity](t, h, "membership:seen")
	connect(t, h)
	s.DropKMS(1000)
	id := alice.Post(room, text("nobody listens"))
	alice.MarkRead(room, id)
	next(t, seen)
}
