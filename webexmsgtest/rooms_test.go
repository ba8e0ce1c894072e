package webexmsgtest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

type (
	message = webexmsgtest.Message
	person  = webexmsgtest.Person
)

// TestVerbs pins the shape of every activity: verb, object, parent, and the
// plaintexts of what is encrypted.
func TestVerbs(t *testing.T) {
	srv, alice, direct, group := world(t)
	bot := srv.Bot()
	carol := srv.NewPerson("carol@example.com", "Carol")
	msg := bot.Post(group, message{Text: "from the bot"})
	card := map[string]any{"type": "AdaptiveCard", "version": "1.3"}
	file := alice.Post(direct, message{Text: "see", Files: []webexmsgtest.File{{Name: "a.txt", Content: []byte("a"), Quarantined: true}}})
	reaction := alice.React(group, msg, "heart")
	c := newClient(t, srv, bot).connect()

	mentionHTML := `<p><spark-mention data-object-type="person" data-object-id="` + bot.ID + `">Bot</spark-mention> a &lt; b</p>`
	for _, test := range []struct {
		name   string
		do     func() string
		verb   string
		object string
		parent string // type
		plain  map[string]string
	}{
		{"mention", func() string { return alice.Post(group, message{Text: "a < b", Mentions: []*person{bot}}) },
			"post", "comment", "", map[string]string{"object displayName": "Bot a < b", "object content": mentionHTML}},
		{"reply", func() string { return alice.Post(group, message{Text: "re", ParentID: msg}) },
			"post", "comment", "reply", map[string]string{"object displayName": "re"}},
		{"edit", func() string { return alice.Edit(group, msg, message{Text: "new"}) },
			"post", "comment", "edit", map[string]string{"object displayName": "new"}},
		{"edit by update", func() string { return alice.EditByUpdate(group, msg, message{Text: "newer"}) },
			"update", "comment", "edit", map[string]string{"object displayName": "newer"}},
		{"react", func() string { return alice.React(group, msg, "smile") },
			"add", "reaction2", "reaction", map[string]string{"object displayName": "smile"}},
		{"unreact", func() string { return alice.Unreact(group, reaction) }, "delete", "activity", "reaction", nil},
		{"tally", func() string { return alice.ReactionSummary(group, msg, map[string]int{"heart": 2}) },
			"update", "reaction2Summary", "reaction", nil},
		{"card", func() string { return alice.Post(direct, message{Text: "card", Cards: []any{card}}) },
			"post", "comment", "", map[string]string{"object displayName": "card"}},
		{"submit", func() string { return alice.SubmitCard(group, msg, json.RawMessage(`{"n":12345678901234567890}`)) },
			"cardAction", "submit", "cardAction", map[string]string{"object inputs": `{"n":12345678901234567890}`}},
		{"links", func() string {
			return alice.Post(direct, message{Text: "l", Links: []webexmsgtest.Link{{URL: "https://example.com", Title: "Ex"}}})
		}, "share", "content", "", map[string]string{"object displayName": "l"}},
		{"read", func() string { return alice.MarkRead(group, msg) }, "acknowledge", "activity", "", nil},
		{"add", func() string { return alice.Add(group, carol) }, "add", "person", "", nil},
		{"moderator", func() string { return alice.SetModerator(group, carol, true) }, "assignModerator", "person", "", nil},
		{"no moderator", func() string { return alice.SetModerator(group, carol, false) }, "unassignModerator", "person", "", nil},
		{"leave", func() string { return carol.Leave(group) }, "leave", "person", "", nil},
		{"rename", func() string { return alice.Rename(group, "New") },
			"update", "conversation", "", map[string]string{"object displayName": "New"}},
		{"lock", func() string { return alice.Lock(group) }, "lock", "conversation", "", nil},
		{"unlock", func() string { return alice.Unlock(group) }, "unlock", "conversation", "", nil},
		{"hide", func() string { return bot.Hide(direct) }, "hide", "conversation", "", nil},
		{"scan", func() string { return alice.ScanFiles(direct, file) }, "update", "content", "", nil},
		{"tombstone", func() string { return alice.Tombstone(group, msg) }, "tombstone", "activity", "", nil},
		{"delete", func() string { return bot.Delete(group, msg) }, "delete", "activity", "", nil},
		{"kicked", func() string { return alice.Remove(group, bot) }, "leave", "person", "", nil},
	} {
		id := test.do()
		a := c.activity()
		if a["id"] != id || a["verb"] != test.verb || str(a, "object", "objectType") != test.object || str(a, "parent", "type") != test.parent {
			t.Errorf("%s: %v/%v (%v) with id %v, want %s/%s (%s) with id %s", test.name,
				a["verb"], at(a, "object", "objectType"), at(a, "parent", "type"), a["id"], test.verb, test.object, test.parent, id)
		}
		for path, want := range test.plain {
			if got := c.plain(a, strings.Fields(path)...); got != want {
				t.Errorf("%s: %s = %q, want %q", test.name, path, got, want)
			}
		}
		switch test.name {
		case "mention":
			if got := at(a, "object", "mentions", "items").([]any); len(got) != 1 || str(got[0], "id") != bot.ID {
				t.Errorf("mentions are %v", got)
			}
		case "card":
			sealed := at(a, "object", "cards").([]any)[0].(string)
			plain, err := openJWE(c.key(direct.KeyURL()), sealed)
			if err != nil || !strings.Contains(string(plain), "AdaptiveCard") {
				t.Errorf("card is %q, %v", plain, err)
			}
		case "lock":
			if tags := at(a, "target", "tags").([]any); !slices.Contains(tags, any("LOCKED")) {
				t.Errorf("tags are %v", tags)
			}
		case "scan":
			item := at(a, "object", "files", "items").([]any)[0]
			if str(item, "malwareQuarantineState") != "safe" || at(item, "transcodedCollection") == nil {
				t.Errorf("scanned file is %v", item)
			}
		}
	}
	alice.Post(group, message{Text: "the bot is gone", Mentions: []*person{bot}})
	c.silence()
	if group.Title() != "New" || len(group.Members()) != 1 {
		t.Errorf("the room is %q with %d members", group.Title(), len(group.Members()))
	}
}

func TestCreateRoom(t *testing.T) {
	srv := newServer(t)
	alice := srv.NewPerson("alice@example.com", "Alice")
	c := newClient(t, srv, srv.Bot()).connect()
	r := srv.NewRoom("Secret", alice, srv.Bot())
	a := c.activity()
	if a["verb"] != "create" || str(a, "object", "id") != r.ID || str(a, "target", "id") != r.ID {
		t.Errorf("activity is %v", a)
	}
	if n := len(at(a, "object", "participants", "items").([]any)); n != 2 {
		t.Errorf("%d participants", n)
	}
	if got := c.plain(a, "object", "displayName"); got != "Secret" {
		t.Errorf("title = %q", got)
	}
	srv.NewDirectRoom(alice, srv.Bot())
	if tags := at(c.activity(), "target", "tags").([]any); tags[0] != "ONE_ON_ONE" {
		t.Errorf("tags are %v", tags)
	}
}

// TestWhoHears is the rule for bots in group rooms.
func TestWhoHears(t *testing.T) {
	srv, alice, direct, group := world(t)
	bot := srv.Bot()
	c := newClient(t, srv, bot).connectedSocket()
	human := newClient(t, srv, alice).connectedSocket()
	plain := alice.Post(group, message{Text: "not for you"})
	human.activity()
	mention := alice.Post(group, message{Text: "hi", Mentions: []*person{bot}})
	c.activity()
	human.activity()
	own := bot.Post(group, message{Text: "mine"})
	c.activity()
	human.activity()
	for name, test := range map[string]struct {
		do    func()
		hears bool
	}{
		"all":                 {func() { alice.Post(group, message{Text: "x", MentionAll: true}) }, true},
		"another mentioned":   {func() { alice.Post(group, message{Text: "x", Mentions: []*person{alice}}) }, false},
		"direct":              {func() { alice.Post(direct, message{Text: "x"}) }, true},
		"reply to plain":      {func() { alice.Post(group, message{Text: "x", ParentID: plain}) }, false},
		"reply to mention":    {func() { alice.Post(group, message{Text: "x", ParentID: mention}) }, true},
		"reply to own":        {func() { alice.Post(group, message{Text: "x", ParentID: own}) }, true},
		"reaction to plain":   {func() { alice.React(group, plain, "heart") }, false},
		"reaction to own":     {func() { alice.React(group, own, "heart") }, true},
		"edit of plain":       {func() { alice.Edit(group, plain, message{Text: "x"}) }, false},
		"edit into a mention": {func() { alice.Edit(group, plain, message{Mentions: []*person{bot}}) }, true},
		"edit of mention":     {func() { alice.Edit(group, mention, message{Text: "x"}) }, true},
		"receipt":             {func() { alice.MarkRead(group, plain) }, false},
		"rename":              {func() { alice.Rename(group, "x") }, true},
		"raw":                 {func() { srv.PostRaw(group, object{"verb": "dance"}) }, true},
	} {
		test.do()
		human.activity()
		if test.hears {
			c.activity()
		} else {
			c.silence()
		}
		if t.Failed() {
			t.Fatalf("in %q", name)
		}
	}
}

func TestPostRawAndEncrypt(t *testing.T) {
	srv, _, direct, _ := world(t)
	c := newClient(t, srv, srv.Bot()).connect()
	srv.PostRaw(direct, object{"verb": 7, "object": []int{1}, "encryptionKeyUrl": direct.KeyURL(), "x": srv.Encrypt(direct, "secret")})
	a := c.activity()
	if a["verb"] != 7.0 || a["id"] != nil {
		t.Errorf("activity is %v", a)
	}
	if got := c.plain(a, "x"); got != "secret" {
		t.Errorf("plaintext = %q", got)
	}
	srv.CorruptJWE(1)
	bad, good := srv.Encrypt(direct, "secret"), srv.Encrypt(direct, "secret")
	if _, err := openJWE(c.key(direct.KeyURL()), bad); err == nil {
		t.Error("the corrupt JWE opens")
	}
	if _, err := openJWE(c.key(direct.KeyURL()), good); err != nil {
		t.Errorf("the JWE after it: %v", err)
	}
}

func TestNotAMember(t *testing.T) {
	srv, _, direct, _ := world(t)
	carol := srv.NewPerson("carol@example.com", "Carol")
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, "carol@example.com is not in room") {
			t.Errorf("panic says %q", s)
		}
	}()
	carol.Post(direct, message{Text: "x"})
}

func TestConversationService(t *testing.T) {
	srv, alice, direct, group := world(t)
	c := newClient(t, srv, srv.Bot())
	var ids []string
	for i := range 25 {
		ids = append(ids, alice.Post(direct, message{Text: fmt.Sprint(i)}))
	}
	first := c.must(200, "GET", "/conversation/api/v1/activities/"+ids[5], nil)
	since := millis(t, str(first, "published"))
	last := c.must(200, "GET", "/conversation/api/v1/activities/"+ids[20], nil)
	until := millis(t, str(last, "published"))

	list := func(query string) (got []string, pages int) {
		t.Helper()
		next := direct.URL() + "/activities?" + query
		for next != "" {
			status, page, header := c.do("GET", next, nil)
			if status != 200 {
				t.Fatalf("%s: %d", next, status)
			}
			for _, item := range at(page, "items").([]any) {
				got = append(got, str(item, "id"))
			}
			pages++
			next = nextLink(header.Get("Link"))
		}
		return got, pages
	}
	bounds := fmt.Sprintf("sinceDate=%d&maxDate=%d&lastActivityFirst=false", since, until)
	if got, pages := list(bounds + "&limit=5"); !slices.Equal(got, ids[5:21]) || pages != 4 {
		t.Errorf("oldest first, %d pages: %d items of 16", pages, len(got))
	}
	if got, pages := list(bounds); !slices.Equal(got, ids[5:21]) || pages != 1 {
		t.Errorf("one page (%d): %d items of 16", pages, len(got))
	}
	reversed := slices.Clone(ids[5:21])
	slices.Reverse(reversed)
	if got, pages := list(fmt.Sprintf("sinceDate=%d&maxDate=%d&limit=5", since, until)); !slices.Equal(got, reversed) || pages != 4 {
		t.Errorf("latest first, %d pages: %d items of 16", pages, len(got))
	}

	// What was deleted is a tombstone, and its text is gone.
	alice.Delete(direct, ids[0])
	if a := c.must(200, "GET", "/conversation/api/v1/activities/"+ids[0], nil); a["verb"] != "tombstone" || at(a, "object", "displayName") != nil {
		t.Errorf("what is left of a deleted message is %v", a)
	}

	rooms := func(query string) (got []string) {
		t.Helper()
		for next := "/conversation/api/v1/conversations?" + query; next != ""; {
			_, page, header := c.do("GET", next, nil)
			for _, item := range at(page, "items").([]any) {
				got = append(got, str(item, "id"))
			}
			next = nextLink(header.Get("Link"))
		}
		return got
	}
	third := srv.NewRoom("third", alice, srv.Bot())
	for _, query := range []string{"sinceDate=0", "sinceDate=0&conversationsLimit=1"} {
		if got := rooms(query); !slices.Equal(got, []string{third.ID, direct.ID, group.ID}) {
			t.Errorf("%s: %v", query, got)
		}
	}
	if got := rooms(fmt.Sprintf("sinceDate=%d&isActive=true&activitiesLimit=0&includeParticipants=false", since)); !slices.Equal(got, []string{third.ID, direct.ID}) {
		t.Errorf("since: %v", got)
	}
	stranger := newClient(t, srv, srv.NewPerson("carol@example.com", "Carol"))
	stranger.must(404, "GET", direct.URL()+"/activities", nil)
	stranger.must(404, "GET", "/conversation/api/v1/activities/"+ids[1], nil)
}

func nextLink(header string) string {
	address, rel, _ := strings.Cut(header, ">; ")
	if rel != `rel="next"` {
		return ""
	}
	return strings.TrimPrefix(address, "<")
}
