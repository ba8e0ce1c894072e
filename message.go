package webexmsg

import (
	"encoding/json"
	"time"

	"github.com/webexmsg/webexmsg/internal/loose"
)

// DecryptedMessage is emitted when a message was posted (message:created) or
// changed (message:updated) in a room of the bot: edited, or its files were
// scanned or converted. IDs are UUIDs as Mercury has them; the methods give
// them as the REST API has them.
//
// What it holds is as its author sent it, and nothing to trust.
type DecryptedMessage struct {
	// ID identifies the activity: the message, or what changed it.
	ID string
	// ParentID is the message that this one answers in a thread or, for
	// message:updated, the message that was changed. Empty otherwise.
	ParentID string
	RoomID   string
	RoomType RoomType
	// RoomTitle is empty where the activity does not have it, as is usual.
	RoomTitle string

	PersonID          string
	PersonEmail       string
	PersonDisplayName string
	PersonOrgID       string

	// Text and HTML are what it says, after the edit if it is one. Both are
	// empty for files without a word, and when only files have changed.
	Text string
	HTML string // empty when the message is plain text
	// Created is when it was posted, or changed, by Webex's clock.
	Created time.Time

	// MentionedPeople holds the ids of the people mentioned, MentionedGroups
	// the kinds of the groups ("all").
	MentionedPeople []string
	MentionedGroups []string
	Files           []File
	Links           []Link
	// Cards are Adaptive Cards, each a JSON document.
	Cards []json.RawMessage

	// CaughtUp means that it was missed when it was sent and fetched later.
	CaughtUp bool
	// Raw is the whole activity, with the strings that were opened in clear.
	Raw json.RawMessage

	messageID string // the message itself, whatever the activity
	cluster   string
}

// RESTID is the message's id in the REST API. For message:updated, which has
// none there, it is that of the message that was changed.
func (m DecryptedMessage) RESTID() string { return ToRESTID(KindMessage, m.messageID, m.cluster) }

// RoomRESTID is the room's id in the REST API.
func (m DecryptedMessage) RoomRESTID() string { return ToRESTID(KindRoom, m.RoomID, m.cluster) }

// PersonRESTID is the author's id in the REST API.
func (m DecryptedMessage) PersonRESTID() string { return ToRESTID(KindPeople, m.PersonID, m.cluster) }

// ParentRESTID is ParentID as the REST API has it; empty if that is.
func (m DecryptedMessage) ParentRESTID() string { return ToRESTID(KindMessage, m.ParentID, m.cluster) }

// Link is the preview of a page that a message links to.
type Link struct {
	URL   string
	Title string
}

// DeletedMessage is emitted when a message was deleted (message:deleted).
type DeletedMessage struct {
	// MessageID is the message that is gone.
	MessageID string
	RoomID    string
	RoomType  RoomType
	// PersonID and PersonEmail are of who deleted it.
	PersonID    string
	PersonEmail string
	// Deleted is when it happened, by Webex's clock.
	Deleted time.Time
	// ActivityID identifies the deletion itself.
	ActivityID string
	Raw        json.RawMessage

	cluster string
}

// MessageRESTID is the deleted message's id in the REST API.
func (m DeletedMessage) MessageRESTID() string { return ToRESTID(KindMessage, m.MessageID, m.cluster) }

// RoomRESTID is the room's id in the REST API.
func (m DeletedMessage) RoomRESTID() string { return ToRESTID(KindRoom, m.RoomID, m.cluster) }

// PersonRESTID is the id in the REST API of who deleted the message.
func (m DeletedMessage) PersonRESTID() string { return ToRESTID(KindPeople, m.PersonID, m.cluster) }

// saysSomething reports whether there is anything in a message.
func (o *object) saysSomething() bool {
	return o.DisplayName != "" || o.Content != "" || len(o.Cards)+len(o.Files.Items)+len(o.Links.Items) > 0
}

func (a *activity) message() (DecryptedMessage, bool) {
	m := DecryptedMessage{
		ID:                a.ID,
		ParentID:          a.parentID(),
		RoomID:            a.room(),
		RoomType:          a.roomType(),
		RoomTitle:         a.Target.DisplayName,
		PersonID:          a.Actor.uuid(),
		PersonEmail:       a.Actor.email(),
		PersonDisplayName: a.Actor.DisplayName,
		PersonOrgID:       a.Actor.OrgID,
		Text:              a.Object.DisplayName,
		HTML:              a.Object.Content,
		Created:           a.published(),
		Files:             a.files(),
		CaughtUp:          a.caughtUp,
		Raw:               a.raw,
		messageID:         a.messageID(),
		cluster:           a.cluster,
	}
	m.MentionedPeople, m.MentionedGroups = a.Object.mentions()
	for _, l := range a.Object.Links.Items {
		m.Links = append(m.Links, l.link())
	}
	for _, card := range a.Object.Cards {
		if json.Valid([]byte(card)) {
			m.Cards = append(m.Cards, json.RawMessage(card))
		}
	}
	return m, true
}

func (l *linkObject) link() Link {
	var ref struct {
		Loc string `json:"loc"`
	}
	_ = loose.Unmarshal([]byte(l.SSLR), &ref) // without an address it is a title still
	return Link{URL: ref.Loc, Title: l.DisplayName}
}

// messageID is the message that an activity is or, if it changes one, changes.
func (a *activity) messageID() string {
	if a.Verb == "update" || a.Parent.Type == "edit" {
		return a.parentID()
	}
	return a.ID
}

// parentID is the message that this one belongs to. An update names what it
// changes as its parent or as its object.
func (a *activity) parentID() string {
	if a.Parent.ID == "" && a.Verb == "update" {
		return a.Object.ID
	}
	return a.Parent.ID
}

func (a *activity) deletion() (DeletedMessage, bool) {
	return DeletedMessage{
		MessageID:   a.Object.ID,
		RoomID:      a.room(),
		RoomType:    a.roomType(),
		PersonID:    a.Actor.uuid(),
		PersonEmail: a.Actor.email(),
		Deleted:     a.published(),
		ActivityID:  a.ID,
		Raw:         a.raw,
		cluster:     a.cluster,
	}, true
}
