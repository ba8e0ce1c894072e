package webexmsgtest

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// A Room is a conversation, between two people or in a group.
type Room struct {
	ID     string // a bare UUID; [Room.RESTID] is the public form
	Direct bool   // of two people, who cannot be changed

	s *Server

	// Guarded by s.mu.
	title      string
	locked     bool
	members    []*Person
	moderators []*Person
	key        *contentKey
	resource   *kmsResource
	created    time.Time
	history    []*activity // oldest first
}

// NewRoom makes a group room. Its members, the creator among them, get a
// create activity.
func (s *Server) NewRoom(title string, creator *Person, others ...*Person) *Room {
	return s.newRoom(title, false, append([]*Person{creator}, others...))
}

// NewDirectRoom makes the room between a, who creates it, and b.
func (s *Server) NewDirectRoom(a, b *Person) *Room {
	return s.newRoom("", true, []*Person{a, b})
}

func (s *Server) newRoom(title string, direct bool, members []*Person) *Room {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.addRoom(uuid.NewString(), title, direct, members)
	key := s.newContentKey(nil)
	r.resource = s.newResource()
	r.resource.room = r
	r.resource.bind(key)
	r.key = key
	s.announceRoom(r, members[0])
	return r
}

// addRoom makes a room that has no key yet. It needs s.mu.
func (s *Server) addRoom(id, title string, direct bool, members []*Person) *Room {
	r := &Room{ID: id, Direct: direct, s: s, title: title, created: time.Now()}
	for _, p := range members {
		if !r.has(p) {
			r.members = append(r.members, p)
		}
	}
	s.rooms[r.ID] = r
	return r
}

// announceRoom delivers the create activity. It needs s.mu.
func (s *Server) announceRoom(r *Room, creator *Person) {
	object := r.object()
	var people []any
	for _, p := range r.members {
		people = append(people, p.object())
	}
	object["participants"] = map[string]any{"items": people}
	if r.title != "" {
		object["displayName"] = s.seal(r, r.title)
		object["encryptionKeyUrl"] = r.key.uri
	}
	s.perform(creator, r, &activity{verb: "create"}, map[string]any{"object": object})
}

// RotateKey gives the room a new key, under which its next activities are
// encrypted, and returns the key's URL. The old ones stay readable.
func (s *Server) RotateKey(r *Room) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.key = s.newContentKey(nil)
	r.resource.bind(r.key)
	return r.key.uri
}

// Title is the room's title; a direct room has none.
func (r *Room) Title() string {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.title
}

// KeyURL is the key under which the room's next activity is encrypted.
func (r *Room) KeyURL() string {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.key.uri
}

// Members are the people in the room.
func (r *Room) Members() []*Person {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return slices.Clone(r.members)
}

// RESTID is the room's id in the public REST API.
func (r *Room) RESTID() string { return publicID(r.s.cluster(), "ROOM", r.ID) }

// URL is the room's address in the conversation service.
func (r *Room) URL() string { return r.s.URL() + conversationPath + "/conversations/" + r.ID }

// has needs s.mu.
func (r *Room) has(p *Person) bool { return slices.Contains(r.members, p) }

// tags needs s.mu.
func (r *Room) tags() []string {
	tags := []string{"GROUP"}
	if r.Direct {
		tags = []string{"ONE_ON_ONE"}
	}
	if r.locked {
		tags = append(tags, "LOCKED")
	}
	return tags
}

func noItems() map[string]any { return map[string]any{"items": []any{}} }

// target is the room as the target of an activity. It needs s.mu.
func (r *Room) target() map[string]any {
	return map[string]any{
		"id":           r.ID,
		"objectType":   "conversation",
		"url":          r.URL(),
		"tags":         r.tags(),
		"participants": noItems(),
		"activities":   noItems(),
	}
}

// object is the room as the object of an activity. It needs s.mu.
func (r *Room) object() map[string]any {
	object := r.target()
	object["published"] = timestamp(r.created)
	object["defaultActivityEncryptionKeyUrl"] = r.key.uri
	object["kmsResourceObjectUrl"] = r.resource.uri
	return object
}
