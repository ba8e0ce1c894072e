package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// post is an activity as the SDK hands it on.
const post = `{"id": "a1", "verb": "post", "published": "2026-11-23T08:43:59.858Z",
	"actor": {"id": "p1", "entryUUID": "p1", "emailAddress": "alice@example.com", "displayName": "Alice", "orgId": "o1"},
	"target": {"id": "r1", "tags": ["ONE_ON_ONE"]}, "parent": {"id": "a0", "type": "reply"},
	"object": {"objectType": "comment", "displayName": "hello", "content": "<p>hello</p>", "cards": ["{}"],
		"mentions": {"items": [{"id": "p2"}]}, "groupMentions": {"items": [{"groupType": "all"}]},
		"files": {"items": [{"displayName": "f.txt", "mimeType": "text/plain", "fileSize": 7, "url": "https://x/f"}]}}}`

func accountOf(t *testing.T, raw string) *account {
	t.Helper()
	var a activity
	if err := json.Unmarshal([]byte(raw), &a); err != nil {
		t.Fatal(err)
	}
	return &account{activityID: a.ID, views: newNarrator().tell(&a)}
}

// TestCompareSeesEveryField changes each part of an activity in turn: a judge
// that overlooks one is none.
func TestCompareSeesEveryField(t *testing.T) {
	if d := compare(accountOf(t, post), accountOf(t, post), "ours"); len(d) > 0 {
		t.Fatalf("an activity differs from itself: %v", d)
	}
	for _, change := range [][2]string{
		{`"a1"`, `"a2"`},
		{`"verb": "post"`, `"verb": "update"`},
		{`59.858Z`, `59.859Z`},
		{`"entryUUID": "p1"`, `"entryUUID": "p3"`},
		{`alice@`, `bob@`},
		{`"Alice"`, `"Bob"`},
		{`"o1"`, `"o2"`},
		{`"r1"`, `"r2"`},
		{`ONE_ON_ONE`, `GROUP`},
		{`"a0"`, `"a9"`},
		{`"reply"`, `"edit"`},
		{`"hello"`, `"hullo"`},
		{`<p>`, `<b>`},
		{`["{}"]`, `["[]"]`},
		{`{"id": "p2"}`, ``},
		{`"all"`, `"here"`},
		{`f.txt`, `g.txt`},
		{`text/plain`, `text/html`},
		{`7`, `8`},
		{`https://x/f`, `https://x/g`},
	} {
		changed := strings.ReplaceAll(post, change[0], change[1])
		if changed == post {
			t.Errorf("%s is not there to be changed", change[0])
		}
		if d := compare(accountOf(t, post), accountOf(t, changed), "ours"); len(d) == 0 {
			t.Errorf("%s instead of %s goes unnoticed", change[1], change[0])
		}
	}
}

// TestReportMustCheck: a run without a check is no success.
func TestReportMustCheck(t *testing.T) {
	r := &report{out: &strings.Builder{}}
	if r.finish() {
		t.Error("a report without checks has passed")
	}
	r.check("one", nil)
	if !r.finish() {
		t.Error("a report of one that passed has failed")
	}
	r.check("another", joined([]string{"wrong"}))
	if r.finish() {
		t.Error("a report of one that failed has passed")
	}
}
