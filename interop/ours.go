package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/webexmsg/webexmsg"
)

// subscriptions are the events of the Handler that the suite compares with the
// SDK's view: a new one joins here. Each turns its payload into a view.
var subscriptions = map[string]func(h *webexmsg.Handler, seen func(*view)){
	"message:created": func(h *webexmsg.Handler, seen func(*view)) {
		h.On("message:created", func(m webexmsg.DecryptedMessage) { seen(messageView("message:created", m)) })
	},
	"message:updated": func(h *webexmsg.Handler, seen func(*view)) {
		h.On("message:updated", func(m webexmsg.DecryptedMessage) { seen(messageView("message:updated", m)) })
	},
	"message:deleted": func(h *webexmsg.Handler, seen func(*view)) {
		h.On("message:deleted", func(m webexmsg.DeletedMessage) { seen(deletionView(m)) })
	},
}

func messageView(event string, m webexmsg.DecryptedMessage) *view {
	v := &view{activityID: m.ID, event: event}
	v.add("verb", rawVerb(m.Raw))
	v.add("room", m.RoomID)
	v.add("roomType", string(m.RoomType))
	v.add("person", m.PersonID)
	v.add("email", m.PersonEmail)
	v.add("created", m.Created.UTC().Format(time.RFC3339Nano))
	v.add("text", m.Text)
	v.add("html", m.HTML)
	v.add("parent", m.ParentID)
	v.add("mentions", m.MentionedPeople)
	v.add("groups", m.MentionedGroups)
	var files []string
	for _, f := range m.Files {
		files = append(files, describeFile(f.Name, f.MIMEType, f.Size, f.URL))
	}
	v.add("files", files)
	return v
}

func deletionView(m webexmsg.DeletedMessage) *view {
	v := &view{activityID: m.ActivityID, event: "message:deleted"}
	v.add("verb", rawVerb(m.Raw))
	v.add("room", m.RoomID)
	v.add("roomType", string(m.RoomType))
	v.add("person", m.PersonID)
	v.add("email", m.PersonEmail)
	v.add("created", m.Deleted.UTC().Format(time.RFC3339Nano))
	v.add("about", m.MessageID)
	return v
}

// rawVerb is in no payload of its own: the event's name says it.
func rawVerb(raw json.RawMessage) string {
	var a struct{ Verb string }
	json.Unmarshal(raw, &a) // what cannot be read differs from what the SDK read
	return a.Verb
}

// connectHandler connects our Handler as the cloud's bot. Everything that it
// delivers goes to the stream.
func connectHandler(ctx context.Context, cloud *cloud, s *stream) (*webexmsg.Handler, error) {
	config := cloud.Config()
	// One order over all rooms, which is the order on the socket.
	config.Concurrency = 1
	h, err := webexmsg.New(config)
	if err != nil {
		return nil, err
	}
	for _, subscribe := range subscriptions {
		subscribe(h, s.add)
	}
	h.On("error", func(err error) {
		var undecryptable *webexmsg.DecryptError
		if errors.As(err, &undecryptable) {
			s.fail(undecryptable.ActivityID, err)
			return
		}
		s.fail("", err)
	})
	if err := h.Connect(ctx); err != nil {
		return nil, err
	}
	return h, nil
}
