package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// sending is what Cisco's SDK does as a client that posts, encrypting by
// itself: does our Handler deliver what it meant?
func sending() []operation {
	var room, posted, reaction, card json.RawMessage // as the SDK has them

	// act calls a function of the SDK's conversation plugin on the direct room.
	act := func(keep *json.RawMessage, function string, args func() []any) func(context.Context, *world) (string, error) {
		return func(ctx context.Context, w *world) (string, error) {
			if room == nil {
				if err := w.sender.Call(ctx, &room, "internal.conversation.get", map[string]any{"url": w.direct.URL()}); err != nil {
					return "", err
				}
			}
			return w.submit(ctx, keep, function, append([]any{asMap(room)}, args()...)...)
		}
	}
	parent := func(of *json.RawMessage, kind string) map[string]any {
		return map[string]any{"parent": map[string]any{"id": idOf(*of), "type": kind}}
	}
	id := func(of *json.RawMessage) func(context.Context, *world, *account) error {
		return func(ctx context.Context, w *world, seen *account) error {
			want := idOf(*of)
			return about(&want)(ctx, w, seen)
		}
	}

	return []operation{
		{
			name:  "the SDK posts plain text",
			do:    act(&posted, "post", func() []any { return []any{"hello from Cisco"} }),
			verb:  "post",
			event: "message:created",
			want:  map[string]string{"text": "hello from Cisco", "roomType": "direct"},
		},
		{
			name: "the SDK posts HTML",
			do: act(nil, "post", func() []any {
				return []any{map[string]any{"displayName": "bold move", "content": "<p><strong>bold</strong> move</p>"}}
			}),
			verb: "post",
			want: map[string]string{"text": "bold move", "html": "<p><strong>bold</strong> move</p>"},
		},
		{
			name: "the SDK posts every kind of character",
			do:   act(nil, "post", func() []any { return []any{odd} }),
			verb: "post",
			want: map[string]string{"text": odd},
		},
		{
			name:  "the SDK replies in a thread",
			do:    act(nil, "post", func() []any { return []any{"threaded", parent(&posted, "reply")} }),
			verb:  "post",
			event: "message:created",
			want:  map[string]string{"text": "threaded"},
			then:  id(&posted),
		},
		{
			name:  "the SDK edits",
			do:    act(nil, "post", func() []any { return []any{"edited by Cisco", parent(&posted, "edit")} }),
			verb:  "post",
			event: "message:updated",
			want:  map[string]string{"text": "edited by Cisco"},
			then:  id(&posted),
		},
		{
			name: "the SDK mentions the bot",
			do: func(ctx context.Context, w *world) (string, error) {
				return w.submit(ctx, nil, "post", map[string]any{"url": w.group.URL()}, map[string]any{
					"displayName": "Bot help",
					"content":     `<spark-mention data-object-type="person" data-object-id="` + w.Bot().ID + `">Bot</spark-mention> help`,
					"mentions":    map[string]any{"items": []any{map[string]any{"id": w.Bot().ID, "objectType": "person"}}},
				})
			},
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
			name: "the SDK mentions everybody",
			do: func(ctx context.Context, w *world) (string, error) {
				return w.submit(ctx, nil, "post", map[string]any{"url": w.group.URL()}, map[string]any{
					"displayName":   "All listen",
					"content":       `<spark-mention data-object-type="groupMention" data-group-type="all">All</spark-mention> listen`,
					"groupMentions": map[string]any{"items": []any{map[string]any{"groupType": "all", "objectType": "groupMention"}}},
				})
			},
			verb: "post",
			want: map[string]string{"text": "All listen", "groups": "all"},
		},
		{
			name:  "the SDK reacts",
			do:    act(&reaction, "addReaction", func() []any { return []any{"celebrate", asMap(posted)} }),
			verb:  "add",
			event: "reaction:created",
			want:  map[string]string{"text": "celebrate"},
			then:  id(&posted),
		},
		{
			name: "the SDK withdraws the reaction",
			do:   act(nil, "deleteReaction", func() []any { return []any{idOf(reaction)} }),
			verb: "delete",
		},
		{
			name: "the SDK shares a file",
			do: func(ctx context.Context, w *world) (string, error) {
				files := []any{sdkFile("minutes.txt", "text/plain", fileContent)}
				return answered(w.sender.Ask(ctx, "share", asMap(room), "as discussed", files))
			},
			verb:  "share",
			event: "message:created",
			want:  map[string]string{"text": "as discussed"},
			then:  downloads("minutes.txt", "text/plain"),
		},
		{
			name: "the SDK posts a card (REST)",
			do: func(ctx context.Context, w *world) (string, error) {
				err := w.sender.Call(ctx, &card, "messages.create", map[string]any{
					"roomId": w.direct.RESTID(), "text": "vote",
					"attachments": []any{map[string]any{"contentType": "application/vnd.microsoft.card.adaptive", "content": adaptiveCard}},
				})
				return bareID(idOf(card)), err
			},
			verb: "post",
			want: map[string]string{"text": "vote", "cards": encode(adaptiveCard)},
		},
		{
			name: "the SDK submits the card",
			do: func(ctx context.Context, w *world) (string, error) {
				parent := map[string]any{"id": bareID(idOf(card))}
				return w.submit(ctx, nil, "cardAction", asMap(room), map[string]any{"inputs": cardInputs}, parent)
			},
			verb: "cardAction",
			want: map[string]string{"inputs": encode(cardInputs)},
		},
		{
			name: "the SDK submits the card (REST)",
			do: func(ctx context.Context, w *world) (string, error) {
				var action json.RawMessage
				err := w.sender.Call(ctx, &action, "attachmentActions.create",
					map[string]any{"type": "submit", "messageId": idOf(card), "inputs": cardInputs})
				return bareID(idOf(action)), err
			},
			verb: "cardAction",
			want: map[string]string{"inputs": encode(cardInputs)},
		},
		{
			name: "the SDK has read a message",
			do:   act(nil, "acknowledge", func() []any { return []any{asMap(posted)} }),
			verb: "acknowledge",
		},
		{
			name: "the SDK posts text (REST)",
			do: func(ctx context.Context, w *world) (string, error) {
				var message json.RawMessage
				err := w.sender.Call(ctx, &message, "messages.create", map[string]any{"roomId": w.direct.RESTID(), "text": "by REST"})
				return bareID(idOf(message)), err
			},
			verb:  "post",
			event: "message:created",
			want:  map[string]string{"text": "by REST"},
		},
		{
			name:  "the SDK deletes a message",
			do:    act(nil, "delete", func() []any { return []any{asMap(posted)} }),
			verb:  "delete",
			event: "message:deleted",
		},
		{
			name: "the SDK deletes a message (REST)",
			do: func(ctx context.Context, w *world) (string, error) {
				if err := w.sender.Call(ctx, nil, "messages.remove", idOf(card)); err != nil {
					return "", err
				}
				return w.theirs.findID(ctx, "the deletion", func(v *view) bool { return v.get("about") == bareID(idOf(card)) && v.get("verb") == "delete" })
			},
			verb:  "delete",
			event: "message:deleted",
		},
		{
			name: "the SDK changes the key of the room",
			do:   act(nil, "updateKey", func() []any { return nil }),
			verb: "updateKey",
		},
		{
			name: "the SDK posts under the new key",
			do: func(ctx context.Context, w *world) (string, error) {
				return w.submit(ctx, nil, "post", map[string]any{"url": w.direct.URL()}, "rekeyed by Cisco")
			},
			verb: "post",
			want: map[string]string{"text": "rekeyed by Cisco"},
		},
		{
			name: "the SDK makes a room",
			do: func(ctx context.Context, w *world) (string, error) {
				if err := w.sender.Call(ctx, &room, "internal.conversation.create", map[string]any{
					"displayName": "Made by Cisco", "participants": []any{w.Bot().ID, w.bob.Email},
				}); err != nil {
					return "", err
				}
				return w.theirs.findID(ctx, "its creation", func(v *view) bool { return v.get("verb") == "create" && v.get("room") == idOf(room) })
			},
			verb: "create",
			want: map[string]string{"text": "Made by Cisco"},
		},
		{
			name: "the SDK adds Carol",
			do: func(ctx context.Context, w *world) (string, error) {
				return w.submit(ctx, nil, "add", asMap(room), w.carol.Email)
			},
			verb: "add",
			then: subject(func(w *world) string { return w.carol.ID }),
		},
		{
			name: "the SDK makes Carol a moderator",
			do: func(ctx context.Context, w *world) (string, error) {
				return w.submit(ctx, nil, "assignModerator", asMap(room), w.carol.ID)
			},
			verb: "assignModerator",
			then: subject(func(w *world) string { return w.carol.ID }),
		},
		{
			name: "the SDK makes Carol no moderator",
			do: func(ctx context.Context, w *world) (string, error) {
				return w.submit(ctx, nil, "unassignModerator", asMap(room), w.carol.ID)
			},
			verb: "unassignModerator",
			then: subject(func(w *world) string { return w.carol.ID }),
		},
		{
			name: "the SDK removes Carol",
			do: func(ctx context.Context, w *world) (string, error) {
				return w.submit(ctx, nil, "leave", asMap(room), w.carol.ID)
			},
			verb: "leave",
			then: subject(func(w *world) string { return w.carol.ID }),
		},
		{
			name: "the SDK renames the room",
			do: func(ctx context.Context, w *world) (string, error) {
				return w.submit(ctx, nil, "update", asMap(room), map[string]any{"objectType": "conversation", "displayName": "Renamed by Cisco"})
			},
			verb: "update",
			want: map[string]string{"text": "Renamed by Cisco"},
		},
		{
			name: "the SDK locks the room",
			do:   func(ctx context.Context, w *world) (string, error) { return w.submit(ctx, nil, "lock", asMap(room)) },
			verb: "lock",
		},
		{
			name: "the SDK unlocks the room",
			do:   func(ctx context.Context, w *world) (string, error) { return w.submit(ctx, nil, "unlock", asMap(room)) },
			verb: "unlock",
		},
		{
			name: "the SDK removes the bot",
			do: func(ctx context.Context, w *world) (string, error) {
				return w.submit(ctx, nil, "leave", asMap(room), w.Bot().ID)
			},
			verb: "leave",
			then: subject(func(w *world) string { return w.Bot().ID }),
		},
	}
}

// submit calls a function of the sender's conversation plugin that resolves
// with an activity, and returns its id.
func (w *world) submit(ctx context.Context, keep *json.RawMessage, function string, args ...any) (string, error) {
	activity, err := w.sender.Ask(ctx, "internal.conversation."+function, args...)
	if keep != nil {
		*keep = activity
	}
	return answered(activity, err)
}

// answered is the id of an activity that a function of the SDK resolved with.
func answered(activity json.RawMessage, err error) (string, error) {
	if err == nil && idOf(activity) == "" {
		err = fmt.Errorf("the SDK's answer has no id: %s", activity)
	}
	return idOf(activity), err
}

// idOf reads the id of an object of the SDK.
func idOf(object json.RawMessage) string {
	id, _ := asMap(object)["id"].(string)
	return id
}

// bareID is the UUID in an id of the REST API.
func bareID(id string) string {
	plain, _ := base64.RawURLEncoding.DecodeString(id) // what is no such id has no UUID
	return string(plain[strings.LastIndexByte(string(plain), '/')+1:])
}

// sdkFile is a file for the driver: see revive in driver/values.js.
func sdkFile(name, mimeType string, content []byte) map[string]any {
	return map[string]any{"$file": map[string]any{"name": name, "type": mimeType, "base64": content}}
}
