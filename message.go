package webexmsg

// event turns an activity, opened, into the event that it is, and emits it.
// Further kinds of events get their places here.
func (a *activity) kind() activityKind {
	obj := a.Object.ObjectType
	switch a.Verb {
	case "post":
		if obj != "comment" {
			return kindOther
		}
		if a.Parent.Type == "edit" {
			return kindMessageUpdated
		}
		return kindMessageCreated
	case "share":
		if obj == "content" {
			return kindMessageCreated
		}
	case "update":
		if obj == "comment" || obj == "content" {
			return kindMessageUpdated
		}
	case "delete":
		if obj == "activity" && a.Parent.Type != "reaction" {
			return kindMessageDeleted
		}
	}
	return kindOther
}

type activityKind int

const (
	kindOther activityKind = iota
	kindMessageCreated
	kindMessageUpdated
	kindMessageDeleted
)

func (a *activity) message() DecryptedMessage {
	m := DecryptedMessage{
		ID:          a.ID,
		ParentID:    a.parentID(),
		RoomID:      a.room(),
		RoomType:    a.roomType(),
		PersonID:    a.Actor.uuid(),
		PersonEmail: a.Actor.email(),
		Text:        a.Object.DisplayName,
		HTML:        a.Object.Content,
		Created:     a.published(),
		Raw:         a.raw,
	}
	for i := range a.Object.Mentions.Items {
		if id := a.Object.Mentions.Items[i].uuid(); id != "" {
			m.MentionedPeople = append(m.MentionedPeople, id)
		}
	}
	for _, g := range a.Object.GroupMentions.Items {
		if g.GroupType != "" {
			m.MentionedGroups = append(m.MentionedGroups, g.GroupType)
		}
	}
	for _, f := range a.Object.Files.Items {
		m.Files = append(m.Files, File{URL: f.URL, Name: f.DisplayName, MIMEType: f.MIMEType, Size: f.FileSize})
	}
	return m
}

// parentID is the message that this one belongs to. An update names what it
// changes as its parent or as its object.
func (a *activity) parentID() string {
	if a.Parent.ID == "" && a.Verb == "update" {
		return a.Object.ID
	}
	return a.Parent.ID
}

func (a *activity) deletion() DeletedMessage {
	return DeletedMessage{
		MessageID:   a.Object.ID,
		RoomID:      a.room(),
		RoomType:    a.roomType(),
		PersonID:    a.Actor.uuid(),
		PersonEmail: a.Actor.email(),
		Deleted:     a.published(),
		ActivityID:  a.ID,
		Raw:         a.raw,
	}
}

func (a *activity) roomType() RoomType {
	if a.direct() {
		return RoomDirect
	}
	return RoomGroup
}
