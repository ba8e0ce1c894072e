package webexmsgtest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// What follows is for clients that encrypt and post by themselves, as Cisco's
// SDK does: the library under test only listens.

func (s *Server) senderRoutes(handle routeFunc) {
	sender := func(pattern string, f func(*exchange)) { handle(pattern, SenderEndpoint, authenticated, f) }
	const one = conversationPath + "/conversations/{id}"
	for _, at := range []string{conversationPath, one} {
		sender("POST "+at+"/activities", (*exchange).postActivity)
		sender("POST "+at+"/content", (*exchange).postActivity)
	}
	sender("POST "+conversationPath+"/conversations", (*exchange).createConversation)
	for _, space := range []string{"/space", "/space/hidden"} { // for files, for thumbnails
		sender("PUT "+one+space, (*exchange).space)
	}
	sender("POST "+one+"/status/typing", func(x *exchange) {
		x.withRoom(x.r.PathValue("id"), func(*Room) map[string]any { return map[string]any{} })
	})
	sender("POST "+conversationPath+"/users", (*exchange).lookUpUsers)
	sender("GET "+conversationPath+"/users", func(x *exchange) { x.json(http.StatusOK, x.person.user()) })
	handle("POST "+filesPath+"/upload_sessions", FilesEndpoint, authenticated, (*exchange).createUpload)
	handle("PUT "+filesPath+"/{id}", FilesEndpoint, public, (*exchange).upload)
	handle("POST "+filesPath+"/{id}/finish", FilesEndpoint, authenticated, func(x *exchange) {
		x.json(http.StatusOK, map[string]any{"downloadUrl": x.s.URL() + filesPath + "/" + x.r.PathValue("id")})
	})
}

// postedActivity is what the server needs to know of an activity that a client
// posts; the rest of it goes on as it came.
type postedActivity struct {
	Verb             string `json:"verb"`
	EncryptionKeyURL string `json:"encryptionKeyUrl"`
	Target           struct {
		ID string `json:"id"`
	} `json:"target"`
	Parent struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"parent"`
	Object struct {
		ID            string `json:"id"`
		EntryUUID     string `json:"entryUUID"`
		EmailAddress  string `json:"emailAddress"`
		ObjectType    string `json:"objectType"`
		DisplayName   string `json:"displayName"`
		Content       string `json:"content"`
		Inputs        string `json:"inputs"`
		Mentions      items  `json:"mentions"`
		GroupMentions items  `json:"groupMentions"`
		Files         items  `json:"files"`
	} `json:"object"`
	KMSMessage string `json:"kmsMessage"`
}

type items struct {
	Items []struct {
		ID  string `json:"id"`
		URL string `json:"url"`
	} `json:"items"`
}

func (x *exchange) postActivity() {
	var posted postedActivity
	var members map[string]any
	if !x.decode(&posted) || !x.decode(&members) {
		return
	}
	if id := x.r.PathValue("id"); id != "" {
		posted.Target.ID = id
	}
	s, p := x.s, x.person
	s.mu.Lock()
	var answer json.RawMessage
	status, reason := http.StatusOK, ""
	switch r := s.room(posted.Target.ID, p); {
	case r == nil:
		status, reason = http.StatusNotFound, "no such conversation"
	case r.Direct && posted.Object.ObjectType == "person":
		status, reason = http.StatusForbidden, "the members of a direct room do not change"
	default:
		s.forwardKMS(posted.KMSMessage)
		answer = s.activities[s.performPosted(p, r, &posted, members)].raw
	}
	s.mu.Unlock()
	if status != http.StatusOK {
		x.fail(status, reason)
		return
	}
	x.json(http.StatusOK, answer)
}

// performPosted does what a posted activity says. It needs s.mu.
func (s *Server) performPosted(p *Person, r *Room, posted *postedActivity, members map[string]any) string {
	o := &posted.Object
	a := &activity{verb: posted.Verb, refers: s.activities[posted.Parent.ID]}
	switch o.ObjectType {
	case "person":
		a.subject = s.people[o.EntryUUID]
		if a.subject == nil {
			a.subject = s.people[o.ID]
		}
		if a.subject == nil {
			a.subject = s.personByEmail(o.EmailAddress)
		}
		if a.subject != nil {
			s.changeMember(r, posted.Verb, a.subject)
			members["object"] = a.subject.object()
		}
	case "conversation":
		s.changeRoom(r, posted)
		if posted.Verb == "lock" || posted.Verb == "unlock" || posted.Verb == "hide" {
			members["object"] = r.object()
		}
	default:
		a.message = true
		if a.refers == nil {
			a.refers = s.activities[o.ID]
		}
		s.readMessage(a, r, posted)
	}
	if posted.Verb == "delete" && a.refers != nil && a.refers.id == o.ID && a.refers.rest != nil {
		s.bury(a.refers)
	}
	for _, name := range []string{"id", "url", "published", "actor", "target", "kmsMessage"} {
		delete(members, name) // these are ours to say
	}
	return s.perform(p, r, a, members)
}

func (s *Server) changeMember(r *Room, verb string, q *Person) {
	switch verb {
	case "add":
		if !r.has(q) {
			r.members = append(r.members, q)
		}
	case "leave":
		r.members = without(r.members, q)
	case "assignModerator":
		r.moderators = append(without(r.moderators, q), q)
	case "unassignModerator":
		r.moderators = without(r.moderators, q)
	}
}

func (s *Server) changeRoom(r *Room, posted *postedActivity) {
	switch posted.Verb {
	case "lock", "unlock":
		r.locked = posted.Verb == "lock"
	case "update":
		r.title = s.reveal(posted.EncryptionKeyURL, posted.Object.DisplayName)
	case "updateKey":
		if key := s.kms.keys[posted.EncryptionKeyURL]; key != nil {
			r.key = key
		}
	}
}

// readMessage learns what decides who hears a message, and what the REST API
// shows of it.
func (s *Server) readMessage(a *activity, r *Room, posted *postedActivity) {
	o := &posted.Object
	m := &restMessage{
		text: s.reveal(posted.EncryptionKeyURL, o.DisplayName),
		html: s.reveal(posted.EncryptionKeyURL, o.Content),
	}
	for _, item := range o.Mentions.Items {
		if q := s.people[item.ID]; q != nil {
			a.mentions = append(a.mentions, q)
		}
	}
	a.mentionAll = len(o.GroupMentions.Items) > 0
	m.mentions, m.mentionAll = a.mentions, a.mentionAll
	for _, item := range o.Files.Items {
		id := item.URL[strings.LastIndexByte(item.URL, '/')+1:]
		if f := s.files[id]; f != nil {
			f.room = r
		}
	}
	switch o.ObjectType {
	case "comment", "content":
		if posted.Parent.Type == "edit" {
			a.edit(m.text, m.html)
			return
		}
		m.parentID = posted.Parent.ID
		a.rest = m
	case "submit":
		m.inputs = json.RawMessage(s.reveal(posted.EncryptionKeyURL, o.Inputs))
		if json.Valid(m.inputs.(json.RawMessage)) {
			a.rest = m
		}
	}
}

// reveal decrypts what a client posted; what cannot be read reads as "".
func (s *Server) reveal(keyURL, compact string) string {
	key := s.kms.keys[keyURL]
	if key == nil || compact == "" {
		return ""
	}
	plain, err := key.open(compact)
	if err != nil {
		return ""
	}
	return string(plain)
}

// forwardKMS performs a request that came to the KMS by way of another
// service, and returns the wrapped answer; "" if it cannot be opened. It needs
// s.mu.
func (s *Server) forwardKMS(message string) string {
	if message == "" {
		return ""
	}
	a, ok := s.openKMS(message)
	if !ok {
		return ""
	}
	return a.wrap(must(json.Marshal(a.body)))
}

func (x *exchange) createConversation() {
	var posted struct {
		DisplayName      string   `json:"displayName"`
		EncryptionKeyURL string   `json:"encryptionKeyUrl"`
		DefaultKeyURL    string   `json:"defaultActivityEncryptionKeyUrl"`
		KMSMessage       string   `json:"kmsMessage"`
		Tags             []string `json:"tags"`
		Activities       struct {
			Items []postedActivity `json:"items"`
		} `json:"activities"`
		Participants struct {
			Items []any `json:"items"`
		} `json:"participants"`
	}
	if !x.decode(&posted) {
		return
	}
	s := x.s
	s.mu.Lock()
	members := []*Person{x.person}
	for _, a := range posted.Activities.Items {
		if a.Verb == "add" {
			members = append(members, s.person(a.Object.ID), s.person(a.Object.EmailAddress))
		}
	}
	for _, participant := range posted.Participants.Items {
		switch q := participant.(type) {
		case string:
			members = append(members, s.person(q))
		case map[string]any:
			id, _ := q["id"].(string)
			members = append(members, s.person(id))
		}
	}
	members = without(members, nil)
	direct := len(members) == 2 && slices.Contains(posted.Tags, "ONE_ON_ONE")

	kmsAnswer := s.forwardKMS(posted.KMSMessage)
	keyURL := posted.DefaultKeyURL
	if keyURL == "" {
		keyURL = posted.EncryptionKeyURL
	}
	r := s.addRoom(uuid.NewString(), s.reveal(keyURL, posted.DisplayName), direct, members)
	r.key = s.kms.keys[keyURL]
	if r.key == nil || !r.key.mayRead(x.person) {
		r.key = s.newContentKey(nil)
	}
	if r.resource = r.key.resource; r.resource == nil || r.resource.room != nil {
		r.resource = s.newResource()
		r.resource.bind(r.key)
	}
	r.resource.room = r
	s.announceRoom(r, x.person)
	answer := x.conversation(r)
	s.mu.Unlock()
	if kmsAnswer != "" {
		answer["kmsMessage"] = kmsAnswer
	}
	x.json(http.StatusCreated, answer)
}

// person finds somebody by id or email, or returns nil. It needs s.mu.
func (s *Server) person(name string) *Person {
	if p := s.people[bareID("PEOPLE", name)]; p != nil || name == "" {
		return p
	}
	return s.personByEmail(name)
}

// conversationWith answers with the direct room of the caller and another.
func (x *exchange) conversationWith() {
	x.s.mu.Lock()
	var answer map[string]any
	if q := x.s.person(x.r.PathValue("user")); q != nil {
		if r := x.s.directRoom(x.person, q); r != nil {
			answer = maps.Clone(x.conversation(r))
		}
	}
	x.s.mu.Unlock()
	if answer == nil {
		x.fail(http.StatusNotFound, "no conversation with this user")
		return
	}
	x.json(http.StatusOK, answer)
}
