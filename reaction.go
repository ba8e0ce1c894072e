package webexmsg

import (
	"encoding/json"
	"sync"
	"time"
)

// ReactionActivity is emitted when somebody reacted to a message
// (reaction:created), or withdrew that (reaction:deleted).
type ReactionActivity struct {
	// ID identifies the activity, ReactionID the one that added the reaction:
	// for reaction:created the same.
	ID         string
	ReactionID string
	// Name is the reaction, "heart" or "thumbsup" say. For reaction:deleted
	// it and MessageID are empty if the Handler has not heard of the reaction
	// of late, for then nobody says.
	Name      string
	MessageID string
	RoomID    string
	RoomType  RoomType

	// PersonID and what follows are of who reacted.
	PersonID          string
	PersonEmail       string
	PersonDisplayName string
	PersonOrgID       string

	// Created is when it happened, by Webex's clock.
	Created time.Time
	Raw     json.RawMessage

	cluster string
}

// MessageRESTID is MessageID as the REST API has it; empty if that is.
func (r ReactionActivity) MessageRESTID() string {
	return ToRESTID(KindMessage, r.MessageID, r.cluster)
}

// RoomRESTID is the room's id in the REST API.
func (r ReactionActivity) RoomRESTID() string { return ToRESTID(KindRoom, r.RoomID, r.cluster) }

// PersonRESTID is the id in the REST API of who reacted.
func (r ReactionActivity) PersonRESTID() string { return ToRESTID(KindPeople, r.PersonID, r.cluster) }

// ReactionTally is emitted when the reactions to a message were counted again
// (reaction:updated). Those who reacted hear of single reactions, all others
// get the tally alone.
type ReactionTally struct {
	// ID identifies the activity.
	ID        string
	MessageID string
	RoomID    string
	RoomType  RoomType
	// Counts says how many there are of each reaction, by its name.
	Counts map[string]int
	// Created is when they were counted, by Webex's clock.
	Created time.Time
	Raw     json.RawMessage

	cluster string
}

// MessageRESTID is the message's id in the REST API.
func (r ReactionTally) MessageRESTID() string { return ToRESTID(KindMessage, r.MessageID, r.cluster) }

// RoomRESTID is the room's id in the REST API.
func (r ReactionTally) RoomRESTID() string { return ToRESTID(KindRoom, r.RoomID, r.cluster) }

// reaction is the activity as one about the reaction r.
func (a *activity) reaction(id string, r knownReaction) ReactionActivity {
	return ReactionActivity{
		ID:                a.ID,
		ReactionID:        id,
		Name:              r.name,
		MessageID:         r.messageID,
		RoomID:            a.room(),
		RoomType:          a.roomType(),
		PersonID:          a.Actor.uuid(),
		PersonEmail:       a.Actor.email(),
		PersonDisplayName: a.Actor.DisplayName,
		PersonOrgID:       a.Actor.OrgID,
		Created:           a.published(),
		Raw:               a.raw,
		cluster:           a.cluster,
	}
}

func (a *activity) reactionTally() (ReactionTally, bool) {
	t := ReactionTally{
		ID:        a.ID,
		MessageID: a.talliedMessage(),
		RoomID:    a.room(),
		RoomType:  a.roomType(),
		Counts:    make(map[string]int, len(a.Object.Reactions)),
		Created:   a.published(),
		Raw:       a.raw,
		cluster:   a.cluster,
	}
	for _, r := range a.Object.Reactions {
		if r.DisplayName != "" {
			t.Counts[r.DisplayName] = r.Count
		}
	}
	return t, true
}

func (a *activity) talliedMessage() string {
	if a.Parent.ID != "" {
		return a.Parent.ID
	}
	return a.Object.Parent.ID
}

// A reactionMemory knows the reactions of late by their ids. The activity that
// withdraws one need not say that it is one, let alone which: without this it
// would pass for the deletion of a message. The zero value is ready.
type reactionMemory struct {
	mu    sync.Mutex
	known map[string]knownReaction
	order []string // oldest at next, once it is full
	next  int
}

type knownReaction struct{ messageID, name string }

const maxKnownReactions = 1 << 14

func (m *reactionMemory) add(id string, r knownReaction) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = make(map[string]knownReaction)
	}
	if _, ok := m.known[id]; !ok {
		if len(m.order) < maxKnownReactions {
			m.order = append(m.order, id)
		} else {
			delete(m.known, m.order[m.next])
			m.order[m.next] = id
			m.next = (m.next + 1) % maxKnownReactions
		}
	}
	m.known[id] = r
}

func (m *reactionMemory) get(id string) (knownReaction, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.known[id]
	return r, ok
}
