package webexmsg

import (
	"encoding/json"
	"io"
	"strings"
	"time"
)

// AttachmentAction is emitted when somebody submitted a card
// (attachmentAction:created).
type AttachmentAction struct {
	// ID identifies the submission, MessageID the message with the card.
	ID        string
	MessageID string
	RoomID    string
	RoomType  RoomType

	// PersonID and what follows are of who submitted it.
	PersonID          string
	PersonEmail       string
	PersonDisplayName string
	PersonOrgID       string

	// Inputs are the values of the card's inputs and the data of its action,
	// by name. Numbers are [json.Number], exactly as they were sent. They are
	// as the person sent them: nothing says that the card's own rules hold.
	Inputs map[string]any
	// Created is when it was submitted, by Webex's clock.
	Created time.Time
	Raw     json.RawMessage

	cluster string
}

// RESTID is the submission's id in the REST API.
func (a AttachmentAction) RESTID() string { return ToRESTID(KindAttachmentAction, a.ID, a.cluster) }

// MessageRESTID is the id in the REST API of the message with the card.
func (a AttachmentAction) MessageRESTID() string {
	return ToRESTID(KindMessage, a.MessageID, a.cluster)
}

// RoomRESTID is the room's id in the REST API.
func (a AttachmentAction) RoomRESTID() string { return ToRESTID(KindRoom, a.RoomID, a.cluster) }

// PersonRESTID is the id in the REST API of who submitted the card.
func (a AttachmentAction) PersonRESTID() string { return ToRESTID(KindPeople, a.PersonID, a.cluster) }

// attachmentAction fails for inputs that are no JSON object.
func (a *activity) attachmentAction() (AttachmentAction, bool) {
	inputs, ok := parseInputs(a.Object.Inputs)
	return AttachmentAction{
		ID:                a.ID,
		MessageID:         a.Parent.ID,
		RoomID:            a.room(),
		RoomType:          a.roomType(),
		PersonID:          a.Actor.uuid(),
		PersonEmail:       a.Actor.email(),
		PersonDisplayName: a.Actor.DisplayName,
		PersonOrgID:       a.Actor.OrgID,
		Inputs:            inputs,
		Created:           a.published(),
		Raw:               a.raw,
		cluster:           a.cluster,
	}, ok
}

// parseInputs reads a JSON object. A number as float64 would lose digits: an
// input may hold the id of something.
func parseInputs(s string) (inputs map[string]any, ok bool) {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	if err := dec.Decode(&inputs); err != nil || inputs == nil {
		return nil, false
	}
	_, err := dec.Token()
	return inputs, err == io.EOF
}
