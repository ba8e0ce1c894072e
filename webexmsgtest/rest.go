package webexmsgtest

import (
	"html"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// restMessage is what the public REST API shows of a message or a submitted
// card, which it does in clear. Guarded by Server.mu.
type restMessage struct {
	text, html string
	mentions   []*Person
	mentionAll bool
	parentID   string
	cards      []any
	inputs     any // of a submitted card
}

func newRESTMessage(m Message) *restMessage {
	return &restMessage{
		text: m.Text, html: m.HTML, mentions: m.Mentions, mentionAll: m.MentionAll,
		parentID: m.ParentID, cards: m.Cards,
	}
}

func (s *Server) restRoutes(handle routeFunc) {
	rest := func(pattern string, f func(*exchange)) { handle(pattern, RESTEndpoint, authenticated, f) }
	rest("GET "+apiPath+"/rooms", (*exchange).restRooms)
	rest("GET "+apiPath+"/rooms/{id}", func(x *exchange) {
		x.withRoom(bareID("ROOM", x.r.PathValue("id")), func(r *Room) map[string]any { return r.rest() })
	})
	rest("GET "+apiPath+"/memberships", (*exchange).restMemberships)
	rest("GET "+apiPath+"/contents/{id}", (*exchange).restContent)
	rest("POST "+apiPath+"/messages", (*exchange).restPost)
	rest("GET "+apiPath+"/messages/{id}", func(x *exchange) { x.restMessage("MESSAGE") })
	rest("PUT "+apiPath+"/messages/{id}", (*exchange).restEdit)
	rest("DELETE "+apiPath+"/messages/{id}", (*exchange).restDelete)
	rest("POST "+apiPath+"/attachment/actions", (*exchange).restSubmit)
	rest("GET "+apiPath+"/attachment/actions/{id}", func(x *exchange) { x.restMessage("ATTACHMENT_ACTION") })
	// The same by bare UUIDs, where the conversation service is (protocol §6, Ids).
	rest("GET "+conversationPath+"/messages/{id}", func(x *exchange) { x.restMessage("MESSAGE") })
	rest("GET "+conversationPath+"/attachment/actions/{id}", func(x *exchange) { x.restMessage("ATTACHMENT_ACTION") })
}

// rest needs s.mu.
func (r *Room) rest() map[string]any {
	room := map[string]any{
		"id":           r.RESTID(),
		"type":         r.kind(),
		"isLocked":     r.locked,
		"created":      timestamp(r.created),
		"lastActivity": timestamp(r.last()),
	}
	if r.title != "" {
		room["title"] = r.title
	}
	return room
}

func (r *Room) kind() string {
	if r.Direct {
		return "direct"
	}
	return "group"
}

func (x *exchange) restRooms() {
	x.s.mu.Lock()
	var rooms []*Room
	for _, r := range x.s.rooms {
		if r.has(x.person) {
			rooms = append(rooms, r)
		}
	}
	slices.SortFunc(rooms, func(a, b *Room) int { return b.last().Compare(a.last()) })
	items := []any{}
	for _, r := range rooms {
		items = append(items, r.rest())
	}
	x.s.mu.Unlock()
	x.json(http.StatusOK, map[string]any{"items": items})
}

func (x *exchange) restMemberships() {
	x.withRoom(bareID("ROOM", x.r.FormValue("roomId")), func(r *Room) map[string]any {
		items := []any{}
		for _, p := range r.members {
			items = append(items, map[string]any{
				"id":                publicID(x.s.cluster(), "MEMBERSHIP", p.ID+":"+r.ID),
				"roomId":            r.RESTID(),
				"personId":          p.RESTID(),
				"personEmail":       p.Email,
				"personDisplayName": p.DisplayName,
				"personOrgId":       publicID("us", "ORGANIZATION", p.OrgID),
				"isModerator":       slices.Contains(r.moderators, p),
				"created":           timestamp(r.created),
			})
		}
		return map[string]any{"items": items}
	})
}

// restJSON is a message, or a submitted card, as the REST API shows it. It
// needs s.mu.
func (s *Server) restJSON(a *activity) map[string]any {
	m, cluster := a.rest, s.cluster()
	answer := map[string]any{
		"roomId":   a.room.RESTID(),
		"personId": a.actor.RESTID(),
		"created":  timestamp(a.published),
	}
	if a.verb == "cardAction" {
		answer["id"] = publicID(cluster, "ATTACHMENT_ACTION", a.id)
		answer["type"] = "submit"
		answer["inputs"] = m.inputs
		if a.refers != nil {
			answer["messageId"] = publicID(cluster, "MESSAGE", a.refers.id)
		}
		return answer
	}
	answer["id"] = publicID(cluster, "MESSAGE", a.id)
	answer["roomType"] = a.room.kind()
	answer["personEmail"] = a.actor.Email
	answer["text"] = m.text
	if m.html != "" {
		answer["html"] = m.html
	}
	if m.parentID != "" {
		answer["parentId"] = publicID(cluster, "MESSAGE", m.parentID)
	}
	var mentioned []string
	for _, p := range m.mentions {
		mentioned = append(mentioned, p.RESTID())
	}
	if mentioned != nil {
		answer["mentionedPeople"] = mentioned
	}
	if m.mentionAll {
		answer["mentionedGroups"] = []string{"all"}
	}
	var files []string
	for i := range a.files {
		files = append(files, s.URL()+apiPath+"/contents/"+publicID(cluster, "CONTENT", a.id+"/"+strconv.Itoa(i)))
	}
	if files != nil {
		answer["files"] = files
	}
	var attachments []any
	for _, card := range m.cards {
		attachments = append(attachments, map[string]any{"contentType": cardType, "content": card})
	}
	if attachments != nil {
		answer["attachments"] = attachments
	}
	return answer
}

const cardType = "application/vnd.microsoft.card.adaptive"

// restActivity returns the message or submitted card of this id if the caller
// may see it, or nil. It needs s.mu.
func (x *exchange) restActivity(kind, id string) *activity {
	a := x.s.activities[bareID(kind, id)]
	if a != nil && a.edits != nil {
		a = a.edits // Cisco's SDK asks for an edit as for a new message
	}
	if a == nil || a.rest == nil || !a.room.has(x.person) || (a.verb == "cardAction") != (kind == "ATTACHMENT_ACTION") {
		return nil
	}
	return a
}

func (x *exchange) restMessage(kind string) {
	x.s.mu.Lock()
	var answer map[string]any
	if a := x.restActivity(kind, x.r.PathValue("id")); a != nil {
		answer = x.s.restJSON(a)
	}
	x.s.mu.Unlock()
	if answer == nil {
		x.fail(http.StatusNotFound, "no such message")
		return
	}
	x.json(http.StatusOK, answer)
}

// restBody is what clients of the REST API post.
type restBody struct {
	RoomID        string `json:"roomId"`
	ToPersonID    string `json:"toPersonId"`
	ToPersonEmail string `json:"toPersonEmail"`
	ParentID      string `json:"parentId"`
	Text          string `json:"text"`
	Markdown      string `json:"markdown"`
	HTML          string `json:"html"`
	Attachments   []struct {
		Content any `json:"content"`
	} `json:"attachments"`
	MessageID string `json:"messageId"`
	Inputs    any    `json:"inputs"`
}

// message reads the text as far as bots use it: Markdown is not rendered, only
// wrapped, for what matters here is that it arrives.
func (b *restBody) message() Message {
	m := Message{Text: b.Text, HTML: b.HTML}
	if b.Markdown != "" {
		m.HTML = "<p>" + strings.ReplaceAll(html.EscapeString(b.Markdown), "\n", "<br/>") + "</p>"
	}
	if m.Text == "" {
		if m.Text = b.Markdown; m.Text == "" {
			m.Text = b.HTML
		}
	}
	if b.ParentID != "" {
		m.ParentID = bareID("MESSAGE", b.ParentID)
	}
	for _, a := range b.Attachments {
		m.Cards = append(m.Cards, a.Content)
	}
	return m
}

func (x *exchange) restPost() {
	var body restBody
	if !x.decode(&body) {
		return
	}
	m := body.message()
	if m.Text == "" && len(m.Cards) == 0 {
		x.fail(http.StatusBadRequest, "text, markdown, html or attachments is required")
		return
	}
	r := x.recipient(&body)
	if r == nil {
		x.fail(http.StatusNotFound, "no such room or person")
		return
	}
	x.s.mu.Lock()
	var answer map[string]any
	if r.has(x.person) { // and not removed meanwhile
		answer = x.s.restJSON(x.s.activities[x.person.post(r, m, nil)])
	}
	x.s.mu.Unlock()
	if answer == nil {
		x.fail(http.StatusNotFound, "no such room")
		return
	}
	x.json(http.StatusOK, answer)
}

// recipient returns the room to post in, a new one when it is the first
// message to a person, or nil.
func (x *exchange) recipient(body *restBody) *Room {
	s := x.s
	s.mu.Lock()
	if body.RoomID != "" {
		defer s.mu.Unlock()
		return s.room(bareID("ROOM", body.RoomID), x.person)
	}
	to := s.people[bareID("PEOPLE", body.ToPersonID)]
	if body.ToPersonEmail != "" {
		to = s.personByEmail(body.ToPersonEmail)
	}
	var r *Room
	if to != nil {
		r = s.directRoom(x.person, to)
	}
	s.mu.Unlock()
	if r == nil && to != nil && to != x.person {
		r = s.NewDirectRoom(x.person, to)
	}
	return r
}

// directRoom returns the room between a and b, or nil. It needs s.mu.
func (s *Server) directRoom(a, b *Person) *Room {
	for _, r := range s.rooms {
		if r.Direct && a != b && r.has(a) && r.has(b) {
			return r
		}
	}
	return nil
}

// withOwn calls f, with s.mu held, on a message that the caller wrote and
// answers with what f returns: 204 for nil. Otherwise it answers 404.
func (x *exchange) withOwn(f func(*activity) map[string]any) {
	x.s.mu.Lock()
	a := x.restActivity("MESSAGE", x.r.PathValue("id"))
	if a != nil && a.actor != x.person {
		a = nil
	}
	var answer map[string]any
	if a != nil {
		answer = f(a)
	}
	x.s.mu.Unlock()
	switch {
	case a == nil:
		x.fail(http.StatusNotFound, "no such message")
	case answer == nil:
		x.noContent(http.StatusNoContent)
	default:
		x.json(http.StatusOK, answer)
	}
}

func (x *exchange) restEdit() {
	var body restBody
	if !x.decode(&body) {
		return
	}
	x.withOwn(func(a *activity) map[string]any {
		x.person.edit("post", a.room, a.id, body.message())
		return x.s.restJSON(a)
	})
}

func (x *exchange) restDelete() {
	x.withOwn(func(a *activity) map[string]any {
		x.person.delete(a.room, a.id)
		return nil
	})
}

func (x *exchange) restSubmit() {
	var body restBody
	if !x.decode(&body) {
		return
	}
	x.s.mu.Lock()
	var answer map[string]any
	if card := x.restActivity("MESSAGE", body.MessageID); card != nil {
		id := x.person.submitCard(card.room, card.id, body.Inputs)
		answer = x.s.restJSON(x.s.activities[id])
	}
	x.s.mu.Unlock()
	if answer == nil {
		x.fail(http.StatusNotFound, "no such message")
		return
	}
	x.json(http.StatusOK, answer)
}

// restContent answers with a file in clear, once it has been scanned.
func (x *exchange) restContent() {
	id, index, _ := strings.Cut(bareID("CONTENT", x.r.PathValue("id")), "/")
	n, err := strconv.Atoi(index)
	x.s.mu.Lock()
	var file *File
	if a := x.restActivity("MESSAGE", id); a != nil && err == nil && n >= 0 && n < len(a.files) {
		copied := a.files[n].File
		file = &copied
	}
	x.s.mu.Unlock()
	switch {
	case file == nil:
		x.fail(http.StatusNotFound, "no such content")
	case file.Quarantined:
		x.w.Header().Set("Retry-After", "5")
		x.fail(http.StatusLocked, "the file is being scanned for malware")
	default:
		x.w.Header().Set("Content-Type", file.MIMEType)
		x.w.Header().Set("Content-Disposition", "attachment; filename="+strconv.Quote(file.Name))
		x.write(http.StatusOK, file.Content)
	}
}
