package main

// A narrator makes of the SDK's activities the events that webexmsg should have
// of them, by the protocol's table of verbs: this is where a new event joins,
// and in ours.go.
type narrator struct {
	reactions map[string]*activity // so far: who withdraws one does not say which
}

func newNarrator() *narrator { return &narrator{reactions: make(map[string]*activity)} }

func (n *narrator) tell(a *activity) []*view {
	return append(n.events(a), a.view())
}

func (n *narrator) events(a *activity) []*view {
	switch a.Verb + " " + a.Object.ObjectType {
	case "post comment", "share content":
		if a.Parent.Type == "edit" {
			return []*view{a.message("message:updated")}
		}
		return []*view{a.message("message:created")}
	case "update comment", "update content":
		return []*view{a.message("message:updated")}
	case "delete activity":
		if r := n.reactions[a.Object.ID]; r != nil {
			return []*view{a.reaction("reaction:deleted", r)}
		}
		v := a.happened("message:deleted")
		v.add("person", a.Actor.EntryUUID)
		v.add("personEmail", a.Actor.EmailAddress)
		v.add("about", a.Object.ID)
		return []*view{v}
	case "cardAction submit":
		v := a.happened("attachmentAction:created")
		v.addPerson("person", a.Actor)
		v.add("about", a.Parent.ID)
		v.add("inputs", a.Object.Inputs)
		return []*view{v}
	case "add reaction2":
		n.reactions[a.ID] = a
		return []*view{a.reaction("reaction:created", a)}
	case "update reaction2Summary":
		v := a.happened("reaction:updated")
		v.add("about", a.Parent.ID)
		v.add("reaction", a.tally())
		return []*view{v}
	case "add person":
		return []*view{a.membership("membership:created", a.Object.person())}
	case "leave person":
		return []*view{a.membership("membership:deleted", a.Object.person())}
	case "assignModerator person", "unassignModerator person":
		return []*view{a.membership("membership:updated", a.Object.person())}
	case "hide conversation":
		return []*view{a.membership("membership:updated", a.Actor)}
	case "acknowledge activity":
		return []*view{a.membership("membership:seen", a.Actor)}
	case "create conversation":
		views := []*view{a.roomEvent("room:created")}
		for _, p := range a.Object.Participants.Items {
			views = append(views, a.membership("membership:created", p))
		}
		return views
	case "update conversation", "lock conversation", "unlock conversation":
		return []*view{a.roomEvent("room:updated")}
	}
	return nil
}

func (o *object) person() person {
	return person{ID: o.ID, EntryUUID: o.EntryUUID, EmailAddress: o.EmailAddress, DisplayName: o.DisplayName, OrgID: o.OrgID}
}

// happened is what every event says.
func (a *activity) happened(event string) *view {
	v := &view{event: event}
	v.add("id", a.ID)
	v.add("room", a.room())
	v.add("roomType", a.roomType())
	v.add("created", stamp(a.Published))
	return v
}

func (a *activity) message(event string) *view {
	v := a.happened(event)
	v.add("roomTitle", a.Target.DisplayName)
	v.addPerson("person", a.Actor)
	v.add("text", a.Object.DisplayName)
	v.add("html", a.Object.Content)
	parent := a.Parent.ID
	if parent == "" && a.Verb == "update" {
		parent = a.Object.ID
	}
	v.add("parent", parent)
	v.add("mentions", a.mentions())
	v.add("groups", a.groups())
	v.add("files", a.files())
	v.add("links", a.links())
	v.add("cards", a.Object.Cards)
	return v
}

// reaction is the adding of the reaction r, or its end.
func (a *activity) reaction(event string, r *activity) *view {
	v := a.happened(event)
	v.addPerson("person", a.Actor)
	v.add("about", r.Parent.ID)
	v.add("reaction", r.Object.DisplayName)
	v.add("reactionID", r.ID)
	return v
}

func (a *activity) membership(event string, of person) *view {
	v := a.happened(event)
	v.add("action", a.Verb)
	v.addPerson("subject", of)
	v.addPerson("actor", a.Actor)
	if event == "membership:seen" {
		v.add("about", a.Object.ID)
	}
	return v
}

func (a *activity) roomEvent(event string) *view {
	v := a.happened(event)
	v.add("action", a.Verb)
	v.addPerson("actor", a.Actor)
	v.add("title", a.Object.DisplayName)
	return v
}
