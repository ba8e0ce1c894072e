package webexmsg

import (
	"encoding/json"
	"time"
)

// MembershipActivity is emitted when a person joined a room
// (membership:created), was made a moderator or no longer is one, or hid a
// direct room (membership:updated), left or was removed (membership:deleted),
// or has seen the messages of a room (membership:seen). What concerns the bot
// itself is emitted too, whoever did it: a bot must hear that it was added.
//
// When a room is made, membership:created is emitted for each of its first
// members, after room:created.
type MembershipActivity struct {
	// ID identifies the activity. The first members of a room share one.
	ID string
	// Action is Webex's verb: create, add, leave, assignModerator,
	// unassignModerator, hide or acknowledge.
	Action   string
	RoomID   string
	RoomType RoomType

	// PersonID and what follows are of whose membership it is. Webex often
	// leaves out all but the id.
	PersonID          string
	PersonEmail       string
	PersonDisplayName string
	PersonOrgID       string

	// ActorID and what follows are of who did it: the person itself or
	// another.
	ActorID          string
	ActorEmail       string
	ActorDisplayName string
	ActorOrgID       string

	// MessageID is, for membership:seen, the last message that the person
	// has seen. Empty otherwise.
	MessageID string
	// Created is when it happened, by Webex's clock.
	Created time.Time
	Raw     json.RawMessage

	cluster string
}

// RESTID is the membership's id in the REST API.
func (m MembershipActivity) RESTID() string {
	return ToRESTID(KindMembership, m.PersonID+":"+m.RoomID, m.cluster)
}

// RoomRESTID is the room's id in the REST API.
func (m MembershipActivity) RoomRESTID() string { return ToRESTID(KindRoom, m.RoomID, m.cluster) }

// PersonRESTID is the id in the REST API of whose membership it is.
func (m MembershipActivity) PersonRESTID() string {
	return ToRESTID(KindPeople, m.PersonID, m.cluster)
}

// ActorRESTID is the id in the REST API of who did it.
func (m MembershipActivity) ActorRESTID() string { return ToRESTID(KindPeople, m.ActorID, m.cluster) }

// MessageRESTID is MessageID as the REST API has it; empty if that is.
func (m MembershipActivity) MessageRESTID() string {
	return ToRESTID(KindMessage, m.MessageID, m.cluster)
}

// membership is the activity as one of the membership of p.
func (a *activity) membership(p person) func() (MembershipActivity, bool) {
	return func() (MembershipActivity, bool) {
		m := MembershipActivity{
			ID:                a.ID,
			Action:            a.Verb,
			RoomID:            a.room(),
			RoomType:          a.roomType(),
			PersonID:          p.uuid(),
			PersonEmail:       p.email(),
			PersonDisplayName: p.DisplayName,
			PersonOrgID:       p.OrgID,
			ActorID:           a.Actor.uuid(),
			ActorEmail:        a.Actor.email(),
			ActorDisplayName:  a.Actor.DisplayName,
			ActorOrgID:        a.Actor.OrgID,
			Created:           a.published(),
			Raw:               a.raw,
			cluster:           a.cluster,
		}
		if a.Verb == "acknowledge" {
			m.MessageID = a.Object.ID
		}
		return m, m.PersonID != ""
	}
}
