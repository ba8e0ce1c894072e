package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/webexmsg/webexmsg"
)

// A recorder turns what our Handler delivers into accounts. The event
// "activity", which comes after all others of an activity, completes one.
type recorder struct {
	stream *stream
	ids    *publicIDs
	views  []*view // of the activity that is being delivered
	files  []webexmsg.File
}

// handlerDevice tells the Handler's device from the SDK's of the same bot.
const handlerDevice = "webexmsg interop"

// connectHandler connects our Handler as the cloud's bot. Everything that it
// delivers goes to the stream.
func connectHandler(ctx context.Context, cloud *cloud, s *stream, ids *publicIDs) (*webexmsg.Handler, error) {
	config := cloud.Config()
	config.DeviceName = handlerDevice
	// One order over all rooms, which is the order on the socket, and one
	// callback at a time.
	config.Concurrency = 1
	h, err := webexmsg.New(config)
	if err != nil {
		return nil, err
	}
	r := &recorder{stream: s, ids: ids}
	r.subscribe(h)
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

// subscribe takes every event of rooms: a new one joins here.
func (r *recorder) subscribe(h *webexmsg.Handler) {
	for _, event := range []string{"message:created", "message:updated"} {
		h.On(event, func(m webexmsg.DecryptedMessage) { r.message(event, m) })
	}
	h.On("message:deleted", r.deletion)
	h.On("attachmentAction:created", r.attachmentAction)
	for _, event := range []string{"membership:created", "membership:updated", "membership:deleted", "membership:seen"} {
		h.On(event, func(m webexmsg.MembershipActivity) { r.membership(event, m) })
	}
	for _, event := range []string{"room:created", "room:updated"} {
		h.On(event, func(a webexmsg.RoomActivity) { r.room(event, a) })
	}
	for _, event := range []string{"reaction:created", "reaction:deleted"} {
		h.On(event, func(a webexmsg.ReactionActivity) { r.reaction(event, a) })
	}
	h.On("reaction:updated", r.tally)
	h.On("activity", r.activity)
}

func (r *recorder) activity(a webexmsg.Activity) {
	views, files := r.views, r.files
	r.views, r.files = nil, nil
	var raw activity
	if err := json.Unmarshal(a.Raw, &raw); err != nil {
		r.stream.fail(a.ID, fmt.Errorf("the Raw of our activity cannot be read: %w", err))
		return
	}
	whole := raw.view()
	// What the payload says must be what its Raw says.
	said := &view{}
	said.add("verb", a.Verb)
	said.add("object", a.ObjectType)
	said.add("room", a.RoomID)
	said.add("roomType", string(a.RoomType))
	said.addPerson("actor", person{EntryUUID: a.ActorID, EmailAddress: a.ActorEmail, DisplayName: a.ActorDisplayName, OrgID: a.ActorOrgID})
	said.add("published", stamp(a.Published))
	for _, f := range said.fields {
		if got := whole.get(f.name); got != f.value {
			r.stream.fail(a.ID, fmt.Errorf("our activity says %s %q, its Raw %q", f.name, f.value, got))
			return
		}
	}
	r.stream.add(&account{activityID: a.ID, views: append(views, whole), files: files})
}

// begin begins a view with what every event says.
func (r *recorder) begin(event, room string, roomType webexmsg.RoomType, created time.Time) *view {
	v := &view{event: event}
	v.add("room", room)
	v.add("roomType", string(roomType))
	v.add("created", stamp(created))
	r.views = append(r.views, v)
	return v
}

func (r *recorder) message(event string, m webexmsg.DecryptedMessage) {
	v := r.begin(event, m.RoomID, m.RoomType, m.Created)
	v.addPerson("person", person{EntryUUID: m.PersonID, EmailAddress: m.PersonEmail, DisplayName: m.PersonDisplayName, OrgID: m.PersonOrgID})
	v.add("text", m.Text)
	v.add("html", m.HTML)
	v.add("parent", m.ParentID)
	v.add("mentions", m.MentionedPeople)
	v.add("groups", m.MentionedGroups)
	var files, links, cards []string
	for _, f := range m.Files {
		thumbnail := cmp.Or(f.Thumbnail, &webexmsg.File{}).URL
		files = append(files, describeFile(f.Name, f.MIMEType, f.Size, f.Width, f.Height, f.MalwareQuarantineState, f.URL, thumbnail))
	}
	for _, l := range m.Links {
		links = append(links, describeLink(l.Title, l.URL))
	}
	for _, c := range m.Cards {
		cards = append(cards, string(c))
	}
	r.files = m.Files
	v.add("files", files)
	v.add("links", links)
	v.add("cards", cards)
	r.ids.add(event, publicID{ID: m.RESTID(), RoomID: m.RoomRESTID(), PersonID: m.PersonRESTID()})
}

func (r *recorder) deletion(m webexmsg.DeletedMessage) {
	v := r.begin("message:deleted", m.RoomID, m.RoomType, m.Deleted)
	v.add("person", m.PersonID)
	v.add("personEmail", m.PersonEmail)
	v.add("about", m.MessageID)
	r.ids.add(v.event, publicID{ID: m.MessageRESTID(), RoomID: m.RoomRESTID(), PersonID: m.PersonRESTID()})
}

func (r *recorder) attachmentAction(a webexmsg.AttachmentAction) {
	v := r.begin("attachmentAction:created", a.RoomID, a.RoomType, a.Created)
	v.add("person", a.PersonID)
	v.add("personEmail", a.PersonEmail)
	v.add("about", a.MessageID)
	v.add("inputs", encode(a.Inputs))
	r.ids.add(v.event, publicID{ID: a.RESTID(), RoomID: a.RoomRESTID(), PersonID: a.PersonRESTID(), MessageID: a.MessageRESTID()})
}

func (r *recorder) membership(event string, m webexmsg.MembershipActivity) {
	v := r.begin(event, m.RoomID, m.RoomType, m.Created)
	v.add("action", m.Action)
	v.addPerson("subject", person{EntryUUID: m.PersonID, EmailAddress: m.PersonEmail, DisplayName: m.PersonDisplayName, OrgID: m.PersonOrgID})
	v.addPerson("actor", person{EntryUUID: m.ActorID, EmailAddress: m.ActorEmail, DisplayName: m.ActorDisplayName, OrgID: m.ActorOrgID})
	v.add("about", m.MessageID)
	r.ids.add(event, publicID{ID: m.RESTID(), RoomID: m.RoomRESTID(), PersonID: m.PersonRESTID()})
}

func (r *recorder) room(event string, a webexmsg.RoomActivity) {
	v := r.begin(event, a.RoomID, a.RoomType, a.Created)
	v.add("action", a.Action)
	v.addPerson("actor", person{EntryUUID: a.ActorID, EmailAddress: a.ActorEmail, DisplayName: a.ActorDisplayName, OrgID: a.ActorOrgID})
	v.add("title", a.Title)
	r.ids.add(event, publicID{ID: a.RoomRESTID()})
}

func (r *recorder) reaction(event string, a webexmsg.ReactionActivity) {
	v := r.begin(event, a.RoomID, a.RoomType, a.Created)
	v.addPerson("person", person{EntryUUID: a.PersonID, EmailAddress: a.PersonEmail, DisplayName: a.PersonDisplayName, OrgID: a.PersonOrgID})
	v.add("about", a.MessageID)
	v.add("reaction", a.Name)
	v.add("reactionID", a.ReactionID)
}

func (r *recorder) tally(t webexmsg.ReactionTally) {
	v := r.begin("reaction:updated", t.RoomID, t.RoomType, t.Created)
	v.add("about", t.MessageID)
	v.add("reaction", describeTally(t.Counts))
}
