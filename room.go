package webexmsg

import (
	"encoding/json"
	"time"
)

// RoomType tells a room of two from all others.
type RoomType string

// The kinds of rooms, in the words of the REST API.
const (
	RoomDirect RoomType = "direct"
	RoomGroup  RoomType = "group"
)

// RoomActivity is emitted when a room was made with the bot in it
// (room:created), or was given another title, locked or unlocked
// (room:updated). What the bot itself did is emitted too.
type RoomActivity struct {
	// ID identifies the activity.
	ID string
	// Action is Webex's verb: create, update, lock or unlock.
	Action   string
	RoomID   string
	RoomType RoomType
	// Title is the room's new title; empty if this is not about it. Direct
	// rooms have none.
	Title string

	// ActorID and what follows are of who did it.
	ActorID          string
	ActorEmail       string
	ActorDisplayName string
	ActorOrgID       string

	// Created is when it happened, by Webex's clock.
	Created time.Time
	Raw     json.RawMessage

	cluster string
}

// RoomRESTID is the room's id in the REST API.
func (r RoomActivity) RoomRESTID() string { return ToRESTID(KindRoom, r.RoomID, r.cluster) }

// ActorRESTID is the id in the REST API of who did it.
func (r RoomActivity) ActorRESTID() string { return ToRESTID(KindPeople, r.ActorID, r.cluster) }

func (a *activity) roomActivity() (RoomActivity, bool) {
	return RoomActivity{
		ID:               a.ID,
		Action:           a.Verb,
		RoomID:           a.room(),
		RoomType:         a.roomType(),
		Title:            a.Object.DisplayName,
		ActorID:          a.Actor.uuid(),
		ActorEmail:       a.Actor.email(),
		ActorDisplayName: a.Actor.DisplayName,
		ActorOrgID:       a.Actor.OrgID,
		Created:          a.published(),
		Raw:              a.raw,
		cluster:          a.cluster,
	}, true
}
