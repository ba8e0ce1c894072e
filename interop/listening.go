package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// listening is what the cloud's own people do: does the SDK, as a listener,
// make of it what they meant?
func listening() []operation {
	var posted, file, card, reaction string // ids of what later operations are about

	return []operation{
		{
			name: "Alice posts plain text",
			do: play(&posted, func(w *world) string {
				return w.alice.Post(w.direct, webexmsgtest.Message{Text: "good morning"})
			}),
			verb:  "post",
			event: "message:created",
			want:  map[string]string{"text": "good morning", "roomType": "direct"},
		},
		{
			name: "Alice posts HTML",
			do: play(nil, func(w *world) string {
				return w.alice.Post(w.direct, webexmsgtest.Message{Text: "bold move", HTML: "<p><strong>bold</strong> move</p>"})
			}),
			verb: "post",
			want: map[string]string{"text": "bold move", "html": "<p><strong>bold</strong> move</p>"},
		},
		{
			name: "Alice posts every kind of character",
			do: play(nil, func(w *world) string {
				return w.alice.Post(w.direct, webexmsgtest.Message{Text: odd})
			}),
			verb: "post",
			want: map[string]string{"text": odd},
		},
		{
			name: "Alice posts more than a mebibyte",
			do: play(nil, func(w *world) string {
				return w.alice.Post(w.direct, webexmsgtest.Message{Text: strings.Repeat("long ", 250_000)})
			}),
			verb: "post",
			want: map[string]string{"text": strings.Repeat("long ", 250_000)},
		},
		{
			name: "Alice replies in a thread",
			do: play(nil, func(w *world) string {
				return w.alice.Post(w.direct, webexmsgtest.Message{Text: "and again", ParentID: posted})
			}),
			verb: "post",
			want: map[string]string{"text": "and again"},
			then: about(&posted),
		},
		{
			name:  "Alice edits (post with a parent)",
			do:    play(nil, func(w *world) string { return w.alice.Edit(w.direct, posted, webexmsgtest.Message{Text: "good day"}) }),
			verb:  "post",
			event: "message:updated",
			want:  map[string]string{"text": "good day"},
			then:  about(&posted),
		},
		{
			name: "Alice edits (update)",
			do: play(nil, func(w *world) string {
				return w.alice.EditByUpdate(w.direct, posted, webexmsgtest.Message{Text: "good evening"})
			}),
			verb:  "update",
			event: "message:updated",
			want:  map[string]string{"text": "good evening"},
			then:  about(&posted),
		},
		{
			name: "Bob mentions the bot",
			do: play(nil, func(w *world) string {
				return w.bob.Post(w.group, webexmsgtest.Message{Text: "help", Mentions: []*webexmsgtest.Person{w.Bot()}})
			}),
			verb: "post",
			want: map[string]string{"text": "Bot help", "roomType": "group"},
			then: func(_ context.Context, w *world, seen *account) error {
				if got := seen.whole().get("mentions"); got != w.Bot().ID {
					return fmt.Errorf("mentions: SDK %q, want the bot", got)
				}
				return nil
			},
		},
		{
			name: "Bob mentions everybody",
			do: play(nil, func(w *world) string {
				return w.bob.Post(w.group, webexmsgtest.Message{Text: "listen", MentionAll: true})
			}),
			verb: "post",
			want: map[string]string{"text": "All listen", "groups": "all"},
		},
		{
			name: "Alice posts a card",
			do: play(&card, func(w *world) string {
				return w.alice.Post(w.direct, webexmsgtest.Message{Text: "vote", Cards: []any{adaptiveCard}})
			}),
			verb: "post",
			want: map[string]string{"text": "vote", "cards": encode(adaptiveCard)},
		},
		{
			name: "Alice submits the card",
			do:   play(nil, func(w *world) string { return w.alice.SubmitCard(w.direct, card, cardInputs) }),
			verb: "cardAction",
			want: map[string]string{"inputs": encode(cardInputs)},
			then: about(&card),
		},
		{
			name: "Alice shares a file",
			do: play(&file, func(w *world) string {
				return w.alice.Post(w.direct, webexmsgtest.Message{Text: "the plan", Files: []webexmsgtest.File{
					{Name: "plan.txt", MIMEType: "text/plain", Content: fileContent, Quarantined: true},
				}})
			}),
			verb:  "share",
			event: "message:created",
			want:  map[string]string{"text": "the plan"},
			then:  downloads("plan.txt", "text/plain"),
		},
		{
			name:  "the file is scanned",
			do:    play(nil, func(w *world) string { return w.alice.ScanFiles(w.direct, file) }),
			verb:  "update",
			event: "message:updated",
		},
		{
			name: "Alice shares a picture with its thumbnail",
			do: play(nil, func(w *world) string {
				return w.alice.Post(w.direct, webexmsgtest.Message{Files: []webexmsgtest.File{
					{Name: "picture.png", MIMEType: "image/png", Content: fileContent, Width: 64, Height: 48, Thumbnail: []byte("small")},
				}})
			}),
			verb:  "share",
			event: "message:created",
			want:  map[string]string{"text": ""},
			then:  downloads("picture.png", "image/png"),
		},
		{
			name: "Alice shares a link",
			do: play(nil, func(w *world) string {
				return w.alice.Post(w.direct, webexmsgtest.Message{
					Text: "read this", Links: []webexmsgtest.Link{{URL: "https://example.com/a", Title: "An article"}},
				})
			}),
			verb: "share",
			want: map[string]string{"text": "read this"},
			then: func(_ context.Context, _ *world, seen *account) error {
				if got, want := seen.event("message:created").get("links"), describeLink("An article", "https://example.com/a"); got != want {
					return fmt.Errorf("links: SDK %q, want %q", got, want)
				}
				return nil
			},
		},
		{
			name:  "Alice reacts",
			do:    play(&reaction, func(w *world) string { return w.alice.React(w.direct, posted, "heart") }),
			verb:  "add",
			event: "reaction:created",
			want:  map[string]string{"text": "heart"},
			then:  about(&posted),
		},
		{
			name: "the tally of the reactions",
			do: play(nil, func(w *world) string {
				return w.alice.ReactionSummary(w.direct, posted, map[string]int{"heart": 1, "smiley": 2})
			}),
			verb: "update",
			want: map[string]string{"reaction": "heart×1, smiley×2"},
		},
		{
			name: "Alice withdraws the reaction",
			do:   play(nil, func(w *world) string { return w.alice.Unreact(w.direct, reaction) }),
			verb: "delete",
		},
		{
			name: "Alice has read a message",
			do:   play(nil, func(w *world) string { return w.alice.MarkRead(w.direct, posted) }),
			verb: "acknowledge",
		},
		{
			name:  "Alice deletes a message",
			do:    play(nil, func(w *world) string { return w.alice.Delete(w.direct, posted) }),
			verb:  "delete",
			event: "message:deleted",
		},
		{
			name: "what is left of the message",
			do:   play(nil, func(w *world) string { return w.alice.Tombstone(w.direct, posted) }),
			verb: "tombstone",
		},
		{
			name: "Alice posts under a new key",
			do: play(nil, func(w *world) string {
				w.RotateKey(w.direct)
				return w.alice.Post(w.direct, webexmsgtest.Message{Text: "rekeyed"})
			}),
			verb: "post",
			want: map[string]string{"text": "rekeyed"},
		},
		{
			name: "Bob makes a room with the bot in it",
			do: func(ctx context.Context, w *world) (string, error) {
				r := w.NewRoom("Another room", w.bob, w.Bot())
				return w.theirs.findID(ctx, "its creation", func(v *view) bool {
					return v.get("verb") == "create" && v.get("room") == r.ID
				})
			},
			verb: "create",
			want: map[string]string{"text": "Another room"},
		},
		{
			name: "Bob adds Carol",
			do:   play(nil, func(w *world) string { return w.bob.Add(w.group, w.carol) }),
			verb: "add",
			then: subject(func(w *world) string { return w.carol.ID }),
		},
		{
			name: "Bob makes Carol a moderator",
			do:   play(nil, func(w *world) string { return w.bob.SetModerator(w.group, w.carol, true) }),
			verb: "assignModerator",
			then: subject(func(w *world) string { return w.carol.ID }),
		},
		{
			name: "Bob makes Carol no moderator",
			do:   play(nil, func(w *world) string { return w.bob.SetModerator(w.group, w.carol, false) }),
			verb: "unassignModerator",
			then: subject(func(w *world) string { return w.carol.ID }),
		},
		{
			name: "Bob removes Carol",
			do:   play(nil, func(w *world) string { return w.bob.Remove(w.group, w.carol) }),
			verb: "leave",
			then: subject(func(w *world) string { return w.carol.ID }),
		},
		{
			name: "Bob renames the room",
			do:   play(nil, func(w *world) string { return w.bob.Rename(w.group, "Renamed") }),
			verb: "update",
			want: map[string]string{"text": "Renamed"},
		},
		{
			name: "Bob locks the room",
			do:   play(nil, func(w *world) string { return w.bob.Lock(w.group) }),
			verb: "lock",
		},
		{
			name: "Bob unlocks the room",
			do:   play(nil, func(w *world) string { return w.bob.Unlock(w.group) }),
			verb: "unlock",
		},
		{
			name: "Alice hides the direct room",
			do:   play(nil, func(w *world) string { return w.alice.Hide(w.direct) }),
			verb: "hide",
		},
	}
}

const odd = "naïve ∑ 漢字 🚀 \u202eright\u202c\ttab\nline \"quotes\" <tag> & \\ \u0000 end"

var (
	fileContent  = bytes.Repeat([]byte("webexmsg\x00\xff"), 2000)
	adaptiveCard = map[string]any{
		"type": "AdaptiveCard", "version": "1.3",
		"body":    []any{map[string]any{"type": "Input.Text", "id": "answer"}},
		"actions": []any{map[string]any{"type": "Action.Submit", "title": "Send"}},
	}
	cardInputs = map[string]any{"answer": "yes", "nested": map[string]any{"list": []any{1.5, true, nil}}}
)

// play is for what is done at once; keep, if not nil, gets the activity's id.
func play(keep *string, do func(w *world) string) func(context.Context, *world) (string, error) {
	return func(_ context.Context, w *world) (string, error) {
		id := do(w)
		if keep != nil {
			*keep = id
		}
		return id, nil
	}
}

// about checks that the activity is about another.
func about(id *string) func(context.Context, *world, *account) error {
	return func(_ context.Context, _ *world, seen *account) error {
		if got := seen.whole().get("parent"); got != *id {
			return fmt.Errorf("parent: SDK %q, want %q", got, *id)
		}
		return nil
	}
}

// subject checks whom a membership activity is about.
func subject(want func(*world) string) func(context.Context, *world, *account) error {
	return func(_ context.Context, w *world, seen *account) error {
		if got := seen.whole().get("subject"); got != want(w) {
			return fmt.Errorf("subject: SDK %q, want %q", got, want(w))
		}
		return nil
	}
}

// downloads checks the description of the only file, which holds fileContent,
// and what the witness and our Handler get when they download and decrypt it.
func downloads(name, mimeType string) func(context.Context, *world, *account) error {
	return func(ctx context.Context, w *world, seen *account) error {
		want := fmt.Sprintf("%s (%s, %d bytes,", name, mimeType, len(fileContent))
		if got := seen.event("message:created").get("files"); !strings.HasPrefix(got, want) {
			return fmt.Errorf("files: SDK %q, want %q", got, want)
		}
		var theirs struct {
			File struct{ Base64 []byte } `json:"$file"`
		}
		url := w.URL() + "/conversation/api/v1/conversations/" + seen.whole().get("room")
		if err := w.witness.Call(ctx, &theirs, "download", url, seen.activityID, 0); err != nil {
			return w.explain(err, w.witness)
		}
		ours, err := w.openFile(ctx, seen.activityID)
		if err != nil {
			return fmt.Errorf("our Handler cannot open the file: %w", err)
		}
		for side, content := range map[string][]byte{"the SDK": theirs.File.Base64, "our Handler": ours} {
			if !bytes.Equal(content, fileContent) {
				return fmt.Errorf("%s decrypts %d bytes that differ from the %d that were shared", side, len(content), len(fileContent))
			}
		}
		return nil
	}
}

// openFile reads the first file of a message as our Handler has it.
func (w *world) openFile(ctx context.Context, activityID string) ([]byte, error) {
	ours, err := w.ours.find(ctx, activityID)
	if err != nil {
		return nil, err
	}
	r, err := w.handler.OpenFile(ctx, ours.files[0])
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
