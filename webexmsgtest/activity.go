package webexmsgtest

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// An activity is what happened in a room, as it is kept for the conversation
// service, and what decides who hears of it. It is guarded by Server.mu.
type activity struct {
	id        string
	verb      string
	published time.Time
	room      *Room
	actor     *Person
	raw       json.RawMessage

	message    bool        // it is a message, or about one: group rooms spare bots these
	mentions   []*Person   // people that it mentions
	mentionAll bool        // it mentions everybody
	refers     *activity   // the message that it is about; nil if it stands alone
	edits      *activity   // the message of which it is an edit
	subject    *Person     // whom a membership activity is about
	files      []*fileInfo // what it shares
	rest       *restMessage
}

// hears reports whether p is sent a.
//
// In a group room a bot is sent only the messages that mention it. Whether one
// that mentions everybody counts is not known; here it does. Nor is it known
// whether a bot hears what becomes of a message (edits, deletions, reactions,
// replies, receipts, submitted cards); here it does if the message mentioned
// it or was its own.
func (a *activity) hears(p *Person) bool {
	switch {
	case !a.room.has(p) && a.subject != p:
		return false
	case !p.IsBot, a.room.Direct, !a.message:
		return true
	}
	return a.concerns(p) || (a.refers != nil && a.refers.concerns(p))
}

func (a *activity) concerns(p *Person) bool {
	return a.actor == p || a.mentionAll || slices.Contains(a.mentions, p)
}

// perform completes an activity of p in r with what all have in common, keeps
// it and delivers it. It returns the id. It needs s.mu.
func (s *Server) perform(p *Person, r *Room, a *activity, members map[string]any) string {
	s.stamp(a)
	if a.id == "" {
		a.id = uuid.NewString()
	}
	a.room, a.actor = r, p
	whole := map[string]any{
		"id":           a.id,
		"objectType":   "activity",
		"url":          s.activityURL(a.id),
		"verb":         a.verb,
		"published":    timestamp(a.published),
		"actor":        p.object(),
		"target":       r.target(),
		"clientTempId": uuid.NewString(),
	}
	maps.Copy(whole, members)
	a.raw = must(json.Marshal(whole))
	s.deliver(a)
	return a.id
}

// stamp gives a its time. No two activities of a server have the same, so that
// the order of their times is the order of their delivery. It needs s.mu.
func (s *Server) stamp(a *activity) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	if !now.After(s.published) {
		now = s.published.Add(time.Millisecond)
	}
	s.published = now
	a.published = now
}

func (s *Server) activityURL(id string) string {
	return s.URL() + conversationPath + "/activities/" + id
}

// deliver keeps a and queues it for the sockets of all who hear it. It needs
// s.mu.
func (s *Server) deliver(a *activity) {
	a.room.history = append(a.room.history, a)
	s.activities[a.id] = a
	people := a.room.members
	if a.subject != nil && !a.room.has(a.subject) {
		people = append(slices.Clone(people), a.subject)
	}
	var sockets []*socket
	for _, p := range people {
		if len(p.sockets) > 0 && a.hears(p) {
			sockets = append(sockets, p.sockets...)
		}
	}
	if len(sockets) == 0 {
		return // nor do faults that count frames see it
	}
	f := newFrame("conversation.activity", `"activity":`+string(a.raw), a.published)
	lose, duplicate, skip := take(&s.faults.lose), take(&s.faults.duplicate), take(&s.faults.skip)
	for _, k := range sockets {
		if skip {
			k.sequence++
		}
		if lose {
			k.sequence++
			continue
		}
		k.send(f)
		if duplicate {
			k.send(f)
		}
	}
}

// seal encrypts text under the room's current key. It needs s.mu.
func (s *Server) seal(r *Room, text string) string {
	return r.key.seal([]byte(text), take(&s.faults.corrupt))
}

// Encrypt returns plaintext encrypted as a compact JWE under the room's
// current key, for [Server.PostRaw].
func (s *Server) Encrypt(r *Room, plaintext string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seal(r, plaintext)
}

// PostRaw sends activity, marshalled as it is, to all sockets of all members
// of r, and keeps it for the conversation service: for verbs that nobody
// knows, missing members, wrong types and excessive sizes. It panics if
// activity cannot be marshalled.
func (s *Server) PostRaw(r *Room, activityJSON any) {
	raw := must(json.Marshal(activityJSON))
	var known struct {
		ID   string `json:"id"`
		Verb string `json:"verb"`
	}
	// Whatever the JSON is, it is sent: it is looked at only to find it again.
	if json.Unmarshal(raw, &known) != nil || known.ID == "" {
		known.ID = uuid.NewString()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &activity{id: known.ID, verb: known.Verb, room: r, raw: raw}
	s.stamp(a)
	s.deliver(a)
}

// SendFrame sends frame, as it is, to all of p's sockets. It takes no sequence
// number and no acknowledgement is expected.
func (s *Server) SendFrame(p *Person, frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range p.sockets {
		k.enqueue(slices.Clone(frame))
	}
}
