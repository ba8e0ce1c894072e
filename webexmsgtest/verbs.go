package webexmsgtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"slices"
	"strings"
	"time"
)

// A Message is what a person posts. Empty parts are left out.
type Message struct {
	Text string // plain text; made from the mentions' names when they stand alone

	// HTML is the rich form. When it is "" and there are mentions, it is
	// made of them and Text, and Text gets the names in front too.
	HTML string

	Mentions   []*Person
	MentionAll bool
	ParentID   string // the message whose thread this is in
	Cards      []any  // Adaptive Cards: whatever marshals to their JSON
	Files      []File // makes it a share
	Links      []Link // makes it a share of links
}

// A Link is the preview of a page that a message links to.
type Link struct {
	URL   string
	Title string
}

// Post posts m in r and returns the activity's id. Like every verb it has
// queued the activity for the sockets of all who hear it when it returns, and
// panics if p is not in the room.
func (p *Person) Post(r *Room, m Message) string {
	files := p.s.sealFiles(r, m.Files)
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.post(r, m, files)
}

// post needs s.mu.
func (p *Person) post(r *Room, m Message, files []*fileInfo) string {
	p.mustBeIn(r)
	a := &activity{verb: "post", message: true, mentions: m.Mentions, mentionAll: m.MentionAll, files: files}
	members := map[string]any{"encryptionKeyUrl": r.key.uri}
	if m.ParentID != "" {
		a.refers = p.s.activities[m.ParentID]
		members["parent"] = map[string]any{"id": m.ParentID, "type": "reply"}
	}
	m = m.complete()
	object := p.s.comment(r, m)
	switch {
	case len(files) > 0:
		a.verb = "share"
		object["objectType"] = "content"
		object["contentCategory"] = category(files)
		object["files"] = map[string]any{"items": p.s.fileItems(r, files)}
	case len(m.Links) > 0:
		a.verb = "share"
		object["objectType"] = "content"
		object["contentCategory"] = "links"
		object["links"] = map[string]any{"items": p.s.linkItems(r, m.Links)}
	}
	members["object"] = object
	a.rest = newRESTMessage(m)
	return p.s.perform(p, r, a, members)
}

// Edit changes the text of a message and returns the id of the edit, which is
// an activity of its own.
func (p *Person) Edit(r *Room, messageID string, m Message) string {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.edit("post", r, messageID, m)
}

// EditByUpdate is Edit in the other shape that Mercury has for it: the verb
// update.
func (p *Person) EditByUpdate(r *Room, messageID string, m Message) string {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.edit("update", r, messageID, m)
}

// edit needs s.mu.
func (p *Person) edit(verb string, r *Room, messageID string, m Message) string {
	m = m.complete()
	a := &activity{verb: verb, message: true, mentions: m.Mentions, mentionAll: m.MentionAll}
	return p.do(r, a, messageID, func() map[string]any {
		a.edit(m.Text, m.HTML)
		return map[string]any{
			"parent":           map[string]any{"id": messageID, "type": "edit"},
			"object":           p.s.comment(r, m),
			"encryptionKeyUrl": r.key.uri,
		}
	})
}

// edit makes a the edit of what it refers to, which from now on is that text in
// the REST API. It needs s.mu.
func (a *activity) edit(text, html string) {
	if a.refers != nil && a.refers.rest != nil {
		a.edits = a.refers
		a.edits.rest.text, a.edits.rest.html = text, html
	}
}

// Delete removes a message. What the conversation service keeps in its place
// is a tombstone.
func (p *Person) Delete(r *Room, messageID string) string {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.delete(r, messageID)
}

// delete needs s.mu.
func (p *Person) delete(r *Room, messageID string) string {
	a := &activity{verb: "delete", message: true}
	return p.do(r, a, messageID, func() map[string]any {
		if a.refers != nil && a.refers.actor != nil {
			p.s.bury(a.refers)
		}
		return map[string]any{"object": p.s.reference(messageID)}
	})
}

// Tombstone sends what stands where a message was removed.
func (p *Person) Tombstone(r *Room, messageID string) string {
	return p.act(r, &activity{verb: "tombstone", message: true}, messageID, func() map[string]any {
		return map[string]any{"object": p.s.reference(messageID)}
	})
}

// React adds a reaction such as "heart" to a message. Its id is what
// [Person.Unreact] takes.
func (p *Person) React(r *Room, messageID, name string) string {
	return p.act(r, &activity{verb: "add", message: true}, messageID, func() map[string]any {
		mac := sha256.Sum256([]byte(messageID + "/" + name))
		return map[string]any{
			"parent": map[string]any{"id": messageID, "type": "reaction"},
			"object": map[string]any{
				"objectType":  "reaction2",
				"displayName": p.s.seal(r, name),
				"hmac":        hex.EncodeToString(mac[:]),
			},
			"encryptionKeyUrl": r.key.uri,
		}
	})
}

// Unreact withdraws a reaction.
func (p *Person) Unreact(r *Room, reactionID string) string {
	a := &activity{verb: "delete", message: true}
	return p.act(r, a, reactionID, func() map[string]any {
		members := map[string]any{"object": p.s.reference(reactionID)}
		if a.refers != nil && a.refers.refers != nil {
			a.refers = a.refers.refers
			members["parent"] = map[string]any{"id": a.refers.id, "type": "reaction"}
		}
		return members
	})
}

// ReactionSummary sends the tally of a message's reactions, by name, as those
// get it who did not react themselves.
func (p *Person) ReactionSummary(r *Room, messageID string, counts map[string]int) string {
	return p.act(r, &activity{verb: "update", message: true}, messageID, func() map[string]any {
		var names []string
		for name := range counts {
			names = append(names, name)
		}
		slices.Sort(names)
		reactions := []any{}
		for _, name := range names {
			reactions = append(reactions, map[string]any{
				"displayName": p.s.seal(r, name),
				"count":       counts[name],
			})
		}
		return map[string]any{
			"parent": map[string]any{"id": messageID, "type": "reaction"},
			"object": map[string]any{
				"objectType":       "reaction2Summary",
				"reactions":        reactions,
				"encryptionKeyUrl": r.key.uri,
			},
			"encryptionKeyUrl": r.key.uri,
		}
	})
}

// SubmitCard submits the card of a message. inputs is whatever marshals to the
// JSON object of the card's inputs; a json.RawMessage goes as it is.
func (p *Person) SubmitCard(r *Room, cardMessageID string, inputs any) string {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.submitCard(r, cardMessageID, inputs)
}

// submitCard needs s.mu.
func (p *Person) submitCard(r *Room, cardMessageID string, inputs any) string {
	a := &activity{verb: "cardAction", message: true, rest: &restMessage{inputs: inputs}}
	return p.do(r, a, cardMessageID, func() map[string]any {
		return map[string]any{
			"parent": map[string]any{"id": cardMessageID, "type": "cardAction"},
			"object": map[string]any{
				"objectType": "submit",
				"inputs":     p.s.seal(r, string(must(json.Marshal(inputs)))),
			},
			"encryptionKeyUrl": r.key.uri,
		}
	})
}

// MarkRead tells the room that p has seen the message.
func (p *Person) MarkRead(r *Room, messageID string) string {
	return p.act(r, &activity{verb: "acknowledge", message: true}, messageID, func() map[string]any {
		return map[string]any{"object": p.s.reference(messageID)}
	})
}

// act is do for those that do not hold s.mu.
func (p *Person) act(r *Room, a *activity, about string, members func() map[string]any) string {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.do(r, a, about, members)
}

// do does what p does in r about the message about, which may be "". It needs
// s.mu, and calls members with it.
func (p *Person) do(r *Room, a *activity, about string, members func() map[string]any) string {
	p.mustBeIn(r)
	a.refers = p.s.activities[about]
	return p.s.perform(p, r, a, members())
}

// mustBeIn needs s.mu. Webex answers 403; here it is the test that is wrong.
func (p *Person) mustBeIn(r *Room) {
	if !r.has(p) {
		panic(fmt.Sprintf("webexmsgtest: %s is not in room %s (%q)", p.Email, r.ID, r.title))
	}
}

func (s *Server) reference(id string) map[string]any {
	return map[string]any{"objectType": "activity", "id": id, "url": s.activityURL(id)}
}

// bury replaces what is kept of a message. It needs s.mu.
func (s *Server) bury(a *activity) {
	a.verb = "tombstone"
	a.rest = nil
	a.files = nil
	a.raw = must(json.Marshal(map[string]any{
		"id":         a.id,
		"objectType": "activity",
		"url":        s.activityURL(a.id),
		"verb":       a.verb,
		"published":  timestamp(a.published),
		"actor":      a.actor.object(),
		"target":     a.room.target(),
		"object":     s.reference(a.id),
	}))
}

// complete makes the HTML of mentions where the test leaves it to us.
func (m Message) complete() Message {
	if m.HTML != "" || (len(m.Mentions) == 0 && !m.MentionAll) {
		return m
	}
	var names, elements []string
	for _, q := range m.Mentions {
		names = append(names, q.DisplayName)
		elements = append(elements, fmt.Sprintf(`<spark-mention data-object-type="person" data-object-id="%s">%s</spark-mention>`,
			q.ID, html.EscapeString(q.DisplayName)))
	}
	if m.MentionAll {
		names = append(names, "All")
		elements = append(elements, `<spark-mention data-object-type="groupMention" data-group-type="all">All</spark-mention>`)
	}
	if m.Text != "" {
		elements = append(elements, html.EscapeString(m.Text))
		names = append(names, m.Text)
	}
	m.HTML = "<p>" + strings.Join(elements, " ") + "</p>"
	m.Text = strings.Join(names, " ")
	return m
}

// comment is the message as the object of an activity. It needs s.mu.
func (s *Server) comment(r *Room, m Message) map[string]any {
	object := map[string]any{"objectType": "comment"}
	if m.Text != "" {
		object["displayName"] = s.seal(r, m.Text)
	}
	if m.HTML != "" {
		object["content"] = s.seal(r, m.HTML)
	}
	if len(m.Mentions) > 0 {
		var items []any
		for _, q := range m.Mentions {
			items = append(items, map[string]any{"id": q.ID, "objectType": "person"})
		}
		object["mentions"] = map[string]any{"items": items}
	}
	if m.MentionAll {
		object["groupMentions"] = map[string]any{
			"items": []any{map[string]any{"groupType": "all", "objectType": "groupMention"}},
		}
	}
	var cards []string
	for _, card := range m.Cards {
		cards = append(cards, s.seal(r, string(must(json.Marshal(card)))))
	}
	if cards != nil {
		object["cards"] = cards
	}
	return object
}

func (s *Server) linkItems(r *Room, links []Link) []any {
	var items []any
	for _, l := range links {
		items = append(items, map[string]any{
			"objectType":  "link",
			"displayName": s.seal(r, l.Title),
			"sslr":        s.seal(r, newSCR(l.URL).json()),
			"href":        s.seal(r, l.URL),
			"published":   timestamp(time.Now()),
		})
	}
	return items
}
