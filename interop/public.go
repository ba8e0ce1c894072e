package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
)

// A publicID is what an event says of the ids of the REST API.
type publicID struct {
	ID        string `json:"id"`
	RoomID    string `json:"roomId"`
	PersonID  string `json:"personId"`
	MessageID string `json:"messageId"`
}

// publicIDs are those of one side's events, by the event's name in webexmsg.
type publicIDs struct {
	mu  sync.Mutex
	ids map[string]map[publicID]bool
}

func newPublicIDs() *publicIDs { return &publicIDs{ids: make(map[string]map[publicID]bool)} }

func (p *publicIDs) add(event string, id publicID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ids[event] == nil {
		p.ids[event] = make(map[publicID]bool)
	}
	p.ids[event][id] = true
}

func (p *publicIDs) of(event string) []publicID {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []publicID
	for id := range p.ids[event] {
		list = append(list, id)
	}
	return list
}

func (p *publicIDs) has(event string, id publicID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ids[event][id]
}

// addSDK takes one of the SDK's public events.
func (p *publicIDs) addSDK(data []byte) {
	var told struct {
		Plugin, Name string
		Data         struct{ Data publicID }
	}
	if json.Unmarshal(data, &told) != nil {
		return // then it is missed below
	}
	id := told.Data.Data
	event := strings.TrimSuffix(told.Plugin, "s") + ":" + told.Name
	switch {
	case event == "message:created":
		id = publicID{ID: id.ID, RoomID: id.RoomID, PersonID: id.PersonID}
	case strings.HasPrefix(event, "room:"):
		id = publicID{ID: id.ID}
	case strings.HasPrefix(event, "membership:"):
		id.MessageID = ""
	}
	p.add(event, id)
}

// publicEvents compares the ids in our events with those in the SDK's own public
// events, which its users program against, and which it makes by its own rules.
// The SDK fires more of some: rooms.updated for every edit, messages.created for
// an edit too, messages.deleted for a reaction that is withdrawn.
func (w *world) publicEvents(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience/2)
	defer cancel()
	w.report.section("Public: the ids of the REST API, in our events and in the SDK's own")
	w.compareRESTIDs(ctx)
	for _, event := range []string{
		"message:created", "message:deleted",
		"membership:created", "membership:updated", "membership:deleted", "membership:seen",
		"room:created", "room:updated",
		"attachmentAction:created",
	} {
		missing := w.missingPublicIDs(event)
		// The SDK fetches messages before it tells of them.
		for ; len(missing) > 0 && ctx.Err() == nil; missing = w.missingPublicIDs(event) {
			time.Sleep(10 * time.Millisecond)
		}
		w.report.check(event, w.explain(joined(missing), w.witness),
			fmt.Sprintf("SDK:  %d", len(w.public.of(event))), fmt.Sprintf("ours: %d", len(w.ids.of(event))))
	}
}

func (w *world) missingPublicIDs(event string) []string {
	ours := w.ids.of(event)
	if len(ours) == 0 {
		return []string{"our Handler delivered none"}
	}
	var missing []string
	for _, id := range ours {
		if !w.public.has(event, id) {
			missing = append(missing, fmt.Sprintf("we have %s, which is in none of the SDK's", encode(id)))
		}
	}
	return missing
}
