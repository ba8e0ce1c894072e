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
	rest   *restIDs
	views  []*view // of the activity that is being delivered
	files  []webexmsg.File
}

// handlerDevice tells the Handler's device from the SDK's of the same bot.
const handlerDevice = "webexmsg interop"

// connectHandler connects our Handler to the cloud. Everything that it
// delivers goes to the recorder.
func connectHandler(ctx context.Context, config webexmsg.Config, r *recorder) (*webexmsg.Handler, error) {
	config.DeviceName = handlerDevice
	// One order over all rooms, which is the order on the socket, and one
	// callback at a time.
	config.Concurrency = 1
	h, err := webexmsg.New(config)
	if err != nil {
		return nil, err
	}
	r.subscribe(h)
	h.On("error", func(err error) {
		var undecryptable *webexmsg.DecryptError
		if errors.As(err, &undecryptable) {
			r.stream.fail(undecryptable.ActivityID, err)
			return
		}
		r.stream.fail("", err)
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
	r.rest.add(webexmsg.KindRoom, a.RoomID, a.RoomRESTID())
	r.rest.add(webexmsg.KindPeople, a.ActorID, a.ActorRESTID())
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
	said.add("id", a.ID)
	said.add("verb", a.Verb)
	said.add("object", a.ObjectType)
	said.add("room", a.RoomID)
	said.add("roomType", string(a.RoomType))
	said.addPerson("actor", person{EntryUUID: a.ActorID, EmailAddress: a.ActorEmail, DisplayName: a.ActorDisplayName, OrgID: a.ActorOrgID})
	said.add("published", stamp(a.Published))
	said.add("parentType", a.ParentType)
	said.add("parent", a.ParentID)
	for _, name := range []string{
		"id", "verb", "object", "room", "roomType", "actor", "actorEmail", "actorName", "actorOrg", "published", "parentType", "parent",
	} {
		if got, want := said.get(name), whole.get(name); got != want {
			r.stream.fail(a.ID, fmt.Errorf("our activity says %s %q, its Raw %q", name, got, want))
			return
		}
	}
	r.stream.add(&account{activityID: a.ID, views: append(views, whole), files: files})
}

// begin begins a view with what every event says.
func (r *recorder) begin(event, id, room string, roomType webexmsg.RoomType, created time.Time) *view {
	v := &view{event: event}
	v.add("id", id)
	v.add("room", room)
	v.add("roomType", string(roomType))
	v.add("created", stamp(created))
	r.views = append(r.views, v)
	return v
}

func (r *recorder) message(event string, m webexmsg.DecryptedMessage) {
	v := r.begin(event, m.ID, m.RoomID, m.RoomType, m.Created)
	v.add("roomTitle", m.RoomTitle)
	v.addPerson("person", person{EntryUUID: m.PersonID, EmailAddress: m.PersonEmail, DisplayName: m.PersonDisplayName, OrgID: m.PersonOrgID})
	v.add("text", m.Text)
	v.add("html", m.HTML)
	v.add("parent", m.ParentID)
	v.add("mentions", m.MentionedPeople)
	v.add("groups", m.MentionedGroups)
	message := m.ID
	if event == "message:updated" {
		message = m.ParentID // the REST API has no id for the change
	}
	var files, links, cards []string
	for i, f := range m.Files {
		r.rest.add(webexmsg.KindContent, fmt.Sprintf("%s/%d", message, i), f.RESTID())
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
	r.rest.add(webexmsg.KindMessage, message, m.RESTID())
	r.rest.add(webexmsg.KindMessage, m.ParentID, m.ParentRESTID())
	r.rest.add(webexmsg.KindRoom, m.RoomID, m.RoomRESTID())
	r.rest.add(webexmsg.KindPeople, m.PersonID, m.PersonRESTID())
	r.ids.add(event, publicID{ID: m.RESTID(), RoomID: m.RoomRESTID(), PersonID: m.PersonRESTID()})
}

func (r *recorder) deletion(m webexmsg.DeletedMessage) {
	v := r.begin("message:deleted", m.ActivityID, m.RoomID, m.RoomType, m.Deleted)
	v.add("person", m.PersonID)
	v.add("personEmail", m.PersonEmail)
	v.add("about", m.MessageID)
	r.rest.add(webexmsg.KindMessage, m.MessageID, m.MessageRESTID())
	r.rest.add(webexmsg.KindRoom, m.RoomID, m.RoomRESTID())
	r.rest.add(webexmsg.KindPeople, m.PersonID, m.PersonRESTID())
	r.ids.add(v.event, publicID{ID: m.MessageRESTID(), RoomID: m.RoomRESTID(), PersonID: m.PersonRESTID()})
}

func (r *recorder) attachmentAction(a webexmsg.AttachmentAction) {
	v := r.begin("attachmentAction:created", a.ID, a.RoomID, a.RoomType, a.Created)
	v.addPerson("person", person{EntryUUID: a.PersonID, EmailAddress: a.PersonEmail, DisplayName: a.PersonDisplayName, OrgID: a.PersonOrgID})
	v.add("about", a.MessageID)
	v.add("inputs", encode(a.Inputs))
	r.rest.add(webexmsg.KindAttachmentAction, a.ID, a.RESTID())
	r.rest.add(webexmsg.KindMessage, a.MessageID, a.MessageRESTID())
	r.rest.add(webexmsg.KindRoom, a.RoomID, a.RoomRESTID())
	r.rest.add(webexmsg.KindPeople, a.PersonID, a.PersonRESTID())
	r.ids.add(v.event, publicID{ID: a.RESTID(), RoomID: a.RoomRESTID(), PersonID: a.PersonRESTID(), MessageID: a.MessageRESTID()})
}

func (r *recorder) membership(event string, m webexmsg.MembershipActivity) {
	v := r.begin(event, m.ID, m.RoomID, m.RoomType, m.Created)
	v.add("action", m.Action)
	v.addPerson("subject", person{EntryUUID: m.PersonID, EmailAddress: m.PersonEmail, DisplayName: m.PersonDisplayName, OrgID: m.PersonOrgID})
	v.addPerson("actor", person{EntryUUID: m.ActorID, EmailAddress: m.ActorEmail, DisplayName: m.ActorDisplayName, OrgID: m.ActorOrgID})
	v.add("about", m.MessageID)
	r.rest.add(webexmsg.KindMembership, m.PersonID+":"+m.RoomID, m.RESTID())
	r.rest.add(webexmsg.KindMessage, m.MessageID, m.MessageRESTID())
	r.rest.add(webexmsg.KindRoom, m.RoomID, m.RoomRESTID())
	r.rest.add(webexmsg.KindPeople, m.PersonID, m.PersonRESTID())
	r.rest.add(webexmsg.KindPeople, m.ActorID, m.ActorRESTID())
	r.ids.add(event, publicID{ID: m.RESTID(), RoomID: m.RoomRESTID(), PersonID: m.PersonRESTID()})
}

func (r *recorder) room(event string, a webexmsg.RoomActivity) {
	v := r.begin(event, a.ID, a.RoomID, a.RoomType, a.Created)
	v.add("action", a.Action)
	v.addPerson("actor", person{EntryUUID: a.ActorID, EmailAddress: a.ActorEmail, DisplayName: a.ActorDisplayName, OrgID: a.ActorOrgID})
	v.add("title", a.Title)
	r.rest.add(webexmsg.KindRoom, a.RoomID, a.RoomRESTID())
	r.rest.add(webexmsg.KindPeople, a.ActorID, a.ActorRESTID())
	r.ids.add(event, publicID{ID: a.RoomRESTID()})
}

func (r *recorder) reaction(event string, a webexmsg.ReactionActivity) {
	v := r.begin(event, a.ID, a.RoomID, a.RoomType, a.Created)
	v.addPerson("person", person{EntryUUID: a.PersonID, EmailAddress: a.PersonEmail, DisplayName: a.PersonDisplayName, OrgID: a.PersonOrgID})
	v.add("about", a.MessageID)
	v.add("reaction", a.Name)
	v.add("reactionID", a.ReactionID)
	r.rest.add(webexmsg.KindMessage, a.MessageID, a.MessageRESTID())
	r.rest.add(webexmsg.KindRoom, a.RoomID, a.RoomRESTID())
	r.rest.add(webexmsg.KindPeople, a.PersonID, a.PersonRESTID())
}

func (r *recorder) tally(t webexmsg.ReactionTally) {
	v := r.begin("reaction:updated", t.ID, t.RoomID, t.RoomType, t.Created)
	v.add("about", t.MessageID)
	v.add("reaction", describeTally(t.Counts))
	r.rest.add(webexmsg.KindMessage, t.MessageID, t.MessageRESTID())
	r.rest.add(webexmsg.KindRoom, t.RoomID, t.RoomRESTID())
}
