package webexmsgtest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	defaultPage = 60
	largestPage = 1000
)

func (s *Server) conversationRoutes(handle routeFunc) {
	const one = conversationPath + "/conversations/{id}"
	handle("GET "+conversationPath+"/conversations", ConversationsEndpoint, authenticated, (*exchange).listConversations)
	handle("GET "+one, ConversationsEndpoint, authenticated, func(x *exchange) {
		x.withRoom(x.r.PathValue("id"), func(r *Room) map[string]any { return x.conversation(r) })
	})
	handle("GET "+one+"/activities", ActivitiesEndpoint, authenticated, func(x *exchange) {
		x.listActivities(x.r.PathValue("id"))
	})
	handle("GET "+conversationPath+"/activities", ActivitiesEndpoint, authenticated, func(x *exchange) {
		x.listActivities(x.r.FormValue("conversationId"))
	})
	handle("GET "+conversationPath+"/activities/{id}", ActivitiesEndpoint, authenticated, (*exchange).oneActivity)
}

// room needs s.mu. It returns the room if p may see it.
func (s *Server) room(id string, p *Person) *Room {
	if r := s.rooms[id]; r != nil && r.has(p) {
		return r
	}
	return nil
}

// withRoom answers with what f, called with s.mu held, makes of a room, or 404.
func (x *exchange) withRoom(id string, f func(*Room) map[string]any) {
	x.s.mu.Lock()
	var answer map[string]any
	if r := x.s.room(id, x.person); r != nil {
		answer = f(r)
	}
	x.s.mu.Unlock()
	if answer == nil {
		x.fail(http.StatusNotFound, "no such conversation")
		return
	}
	x.json(http.StatusOK, answer)
}

// listConversations answers with the rooms in which something has happened
// since sinceDate, the latest first.
func (x *exchange) listConversations() {
	since, limit := x.millis("sinceDate"), x.limit("conversationsLimit")
	before := x.millis("before") // of our own, in the links to next pages

	x.s.mu.Lock()
	var rooms []*Room
	for _, r := range x.s.rooms {
		last := r.last().UnixMilli()
		if r.has(x.person) && last >= since && (before == 0 || last < before) {
			rooms = append(rooms, r)
		}
	}
	slices.SortFunc(rooms, func(a, b *Room) int {
		return cmp.Or(b.last().Compare(a.last()), cmp.Compare(a.ID, b.ID))
	})
	more := len(rooms) > limit
	rooms = rooms[:min(len(rooms), limit)]
	items := []any{}
	for _, r := range rooms {
		items = append(items, x.conversation(r))
	}
	if more {
		x.linkNext("before", rooms[len(rooms)-1].last().UnixMilli())
	}
	x.s.mu.Unlock()
	x.json(http.StatusOK, map[string]any{"items": items})
}

// last is when something last happened in the room. It needs s.mu.
func (r *Room) last() time.Time {
	if len(r.history) == 0 {
		return r.created
	}
	return r.history[len(r.history)-1].published
}

// conversation is r as the conversation service shows it, with as much of it
// as the request's query wants. It needs s.mu.
func (x *exchange) conversation(r *Room) map[string]any {
	c := r.object()
	last := timestamp(r.last())
	c["lastReadableActivityDate"] = last
	c["lastRelevantActivityDate"] = last
	c["encryptionKeyUrl"] = r.key.uri
	if r.title != "" {
		c["displayName"] = x.s.seal(r, r.title)
	}
	if x.r.FormValue("includeParticipants") != "false" {
		items := []any{}
		for _, p := range r.members {
			items = append(items, p.object())
		}
		c["participants"] = map[string]any{"items": items}
	}
	if n, err := strconv.Atoi(x.r.FormValue("activitiesLimit")); err == nil && n > 0 {
		c["activities"] = map[string]any{"items": raws(r.history[max(0, len(r.history)-n):])}
	}
	return c
}

func raws(list []*activity) []json.RawMessage {
	items := make([]json.RawMessage, len(list))
	for i, a := range list {
		items[i] = a.raw
	}
	return items
}

// listActivities answers with what happened in a room from sinceDate to
// maxDate, both included: oldest first if lastActivityFirst is false.
//
// It shows a bot the whole room, not only what the bot would have been sent:
// what a bot catches up on is for its own library to choose.
func (x *exchange) listActivities(id string) {
	since, until, limit := x.millis("sinceDate"), x.millis("maxDate"), x.limit("limit")
	latestFirst := x.r.FormValue("lastActivityFirst") != "false"
	x.withRoom(id, func(r *Room) map[string]any {
		from, _ := slices.BinarySearchFunc(r.history, since, byMillis)
		to := len(r.history)
		if until > 0 {
			to, _ = slices.BinarySearchFunc(r.history, until+1, byMillis)
		}
		// Times are unique, so a page can go on where the last one ended.
		page := slices.Clone(r.history[from:max(from, to)])
		switch more := len(page) > limit; {
		case latestFirst:
			slices.Reverse(page)
			if page = page[:min(limit, len(page))]; more {
				x.linkNext("maxDate", page[limit-1].published.UnixMilli()-1)
			}
		case more:
			page = page[:limit]
			x.linkNext("sinceDate", page[limit-1].published.UnixMilli()+1)
		}
		return map[string]any{"items": raws(page)}
	})
}

func byMillis(a *activity, millis int64) int { return cmp.Compare(a.published.UnixMilli(), millis) }

func (x *exchange) oneActivity() {
	x.s.mu.Lock()
	var raw json.RawMessage
	if a := x.s.activities[x.r.PathValue("id")]; a != nil && a.room.has(x.person) {
		raw = a.raw
	}
	x.s.mu.Unlock()
	if raw == nil {
		x.fail(http.StatusNotFound, "no such activity")
		return
	}
	x.json(http.StatusOK, raw)
}

// millis reads a time in milliseconds from the query; what is none counts as 0.
func (x *exchange) millis(name string) int64 {
	n, _ := strconv.ParseInt(x.r.FormValue(name), 10, 64)
	return n
}

func (x *exchange) limit(name string) int {
	n, err := strconv.Atoi(x.r.FormValue(name))
	if err != nil || n <= 0 {
		return defaultPage
	}
	return min(n, largestPage)
}

// linkNext adds the header that leads to the next page: the same query but for
// one parameter.
func (x *exchange) linkNext(name string, value int64) {
	query, _ := url.ParseQuery(x.r.URL.RawQuery) // what cannot be read was not obeyed either
	query.Set(name, strconv.FormatInt(value, 10))
	x.w.Header().Set("Link", "<"+x.s.URL()+x.r.URL.Path+"?"+query.Encode()+`>; rel="next"`)
}
