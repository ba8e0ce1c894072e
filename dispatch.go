package webexmsg

import (
	"context"
	"encoding/json"
	"time"

	"github.com/webexmsg/webexmsg/internal/jwe"
)

// Activity is emitted for everything that happens in the rooms of the bot
// (activity), whatever its verb: for what nobody knows yet, and for what has
// no other event. Where there are other events it comes after them.
//
// It has no text but in Raw. There everything is in clear for which there was
// a key; what could not be opened, for which a [DecryptError] is reported if
// another event would have held it, is still a JWE.
type Activity struct {
	ID string
	// Verb and ObjectType are what happened, in Webex's words: "post" of a
	// "comment".
	Verb       string
	ObjectType string
	// ParentID and ParentType are of the activity that it belongs to, if any:
	// "reply", "edit", "reaction", "cardAction".
	ParentID   string
	ParentType string

	RoomID   string
	RoomType RoomType

	// ActorID and what follows are of who did it.
	ActorID          string
	ActorEmail       string
	ActorDisplayName string
	ActorOrgID       string

	// Published is when it happened, by Webex's clock.
	Published time.Time
	Raw       json.RawMessage

	cluster string
}

// RoomRESTID is the room's id in the REST API.
func (a Activity) RoomRESTID() string { return ToRESTID(KindRoom, a.RoomID, a.cluster) }

// ActorRESTID is the id in the REST API of who did it.
func (a Activity) ActorRESTID() string { return ToRESTID(KindPeople, a.ActorID, a.cluster) }

func (a *activity) whole(raw json.RawMessage) Activity {
	return Activity{
		ID:               a.ID,
		Verb:             a.Verb,
		ObjectType:       a.Object.ObjectType,
		ParentID:         a.Parent.ID,
		ParentType:       a.Parent.Type,
		RoomID:           a.room(),
		RoomType:         a.roomType(),
		ActorID:          a.Actor.uuid(),
		ActorEmail:       a.Actor.email(),
		ActorDisplayName: a.Actor.DisplayName,
		ActorOrgID:       a.Actor.OrgID,
		Published:        a.published(),
		Raw:              raw,
		cluster:          a.cluster,
	}
}

// said reports whether it is something that its actor says: a message, a
// reaction, a card that is filled in, or one of these taken back. A bot does
// not hear these from itself, unless Config.IncludeSelfMessages.
func (a *activity) said() bool {
	switch a.Object.ObjectType {
	case "comment", "content", "reaction2", "submit":
		return true
	}
	return a.Verb == "delete"
}

// An emission is an event that an activity becomes when it is open.
type emission struct {
	heard bool // somebody listens
	emit  func(ctx context.Context, failed func(event string, err error, stack []byte))
}

// emission makes one of a topic. payload may say, of what is open, that there
// is no such event.
func (t *topic[T]) emission(event string, payload func() (T, bool)) emission {
	return emission{
		heard: t.heard(),
		emit: func(ctx context.Context, failed func(string, error, []byte)) {
			if v, ok := payload(); ok {
				t.emit(ctx, event, v, failed)
			}
		},
	}
}

func (t *topic[T]) heard() bool { return len(t.callbacks()) > 0 }

// emissions says which events an activity becomes, EventActivity apart. An
// activity that lacks what its event cannot do without becomes none.
func (h *Handler) emissions(a *activity) []emission {
	if a.room() == "" || a.Actor.uuid() == "" {
		return nil
	}
	t, obj := &h.topics, &a.Object
	switch a.Verb + " " + obj.ObjectType {
	case "post comment", "share content":
		switch {
		case !obj.saysSomething():
		case a.Parent.Type != "edit":
			return []emission{t.messageCreated.emission(EventMessageCreated, a.message)}
		case a.parentID() != "":
			return []emission{t.messageUpdated.emission(EventMessageUpdated, a.message)}
		}
	case "update comment", "update content":
		if obj.saysSomething() && a.parentID() != "" {
			return []emission{t.messageUpdated.emission(EventMessageUpdated, a.message)}
		}
	case "delete activity", "delete reaction2":
		switch r, is := h.withdrawn(a); {
		case obj.ID == "":
		case is:
			return []emission{t.reactionDeleted.emission(EventReactionDeleted, func() (ReactionActivity, bool) {
				return a.reaction(obj.ID, r), true
			})}
		default:
			return []emission{t.messageDeleted.emission(EventMessageDeleted, a.deletion)}
		}
	case "cardAction submit":
		if a.Parent.ID != "" {
			return []emission{t.attachmentActionCreated.emission(EventAttachmentActionCreated, a.attachmentAction)}
		}
	case "add reaction2":
		if a.Parent.ID == "" || obj.DisplayName == "" {
			break
		}
		h.reactions.add(a.ID, knownReaction{messageID: a.Parent.ID})
		e := t.reactionCreated.emission(EventReactionCreated, func() (ReactionActivity, bool) {
			r := knownReaction{messageID: a.Parent.ID, name: obj.DisplayName}
			h.reactions.add(a.ID, r)
			return a.reaction(a.ID, r), true
		})
		e.heard = e.heard || t.reactionDeleted.heard() // which has its name from here
		return []emission{e}
	case "add person":
		return []emission{t.membershipCreated.emission(EventMembershipCreated, a.membership(obj.person()))}
	case "leave person":
		return []emission{t.membershipDeleted.emission(EventMembershipDeleted, a.membership(obj.person()))}
	case "assignModerator person", "unassignModerator person":
		return []emission{t.membershipUpdated.emission(EventMembershipUpdated, a.membership(obj.person()))}
	case "hide conversation":
		return []emission{t.membershipUpdated.emission(EventMembershipUpdated, a.membership(a.Actor))}
	case "acknowledge activity":
		if obj.ID != "" {
			return []emission{t.membershipSeen.emission(EventMembershipSeen, a.membership(a.Actor))}
		}
	case "create conversation":
		list := []emission{t.roomCreated.emission(EventRoomCreated, a.roomActivity)}
		for _, p := range obj.Participants.Items {
			list = append(list, t.membershipCreated.emission(EventMembershipCreated, a.membership(p)))
		}
		return list
	case "update conversation", "lock conversation", "unlock conversation":
		return []emission{t.roomUpdated.emission(EventRoomUpdated, a.roomActivity)}
	}
	if obj.ObjectType == "reaction2Summary" && a.talliedMessage() != "" {
		return []emission{t.reactionUpdated.emission(EventReactionUpdated, a.reactionTally)}
	}
	return nil
}

// withdrawn says whether a deletion is of a reaction, and what is known of it.
func (h *Handler) withdrawn(a *activity) (knownReaction, bool) {
	r, known := h.reactions.get(a.Object.ID)
	for _, p := range [...]parentActivity{a.Parent, a.Object.Parent} {
		if p.Type == "reaction" {
			known = true
			if r.messageID == "" {
				r.messageID = p.ID
			}
		}
	}
	return r, known || a.Object.ObjectType == "reaction2"
}

// deliver calls the callbacks of an activity. It reports false if that was
// given up because the session ends.
func (s *session) deliver(j job) bool {
	me := s.me.Load()
	if me == nil {
		return false
	}
	a, t := j.a, &s.h.topics
	a.cluster, a.caughtUp = s.h.cluster(a), j.caughtUp
	if a.said() && a.Actor.uuid() == me.userID && !s.cfg.IncludeSelfMessages {
		return true
	}
	emissions := s.h.emissions(a)
	wanted := t.activity.heard()
	for _, e := range emissions {
		wanted = wanted || e.heard
	}
	if !wanted {
		return true // nor is there a reason to wait for its key
	}

	keys := keySource(func(uri string) (*jwe.Key, error) { return s.kms.key(s.keys, uri, s.cfg.KeyTimeout) }).onceEach()
	var err error
	if len(emissions) > 0 {
		err = a.open(keys)
	}
	raw := a.raw
	if t.activity.heard() {
		raw = keys.openAll(raw, a.keyURL())
	}
	if s.callbacks.Err() != nil {
		return false
	}
	failed := s.h.callbackFailed(a.ID)
	if err != nil {
		s.log.Warn("cannot decrypt", "activity", a.ID, "room", a.room(), "err", err)
		s.h.report(&DecryptError{ActivityID: a.ID, RoomID: a.room(), Err: err})
	} else {
		for _, e := range emissions {
			e.emit(s.callbacks, failed)
		}
	}
	t.activity.emit(s.callbacks, EventActivity, a.whole(raw), failed)
	return true
}
