package webexmsg

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/webexmsg/webexmsg/internal/jwe"
	"github.com/webexmsg/webexmsg/internal/loose"
)

// An activity is one thing that happened in a room, as Webex sends it: its
// encrypted strings still closed. Webex's names are kept.
type activity struct {
	ID               string         `json:"id"`
	URL              string         `json:"url"`
	Verb             string         `json:"verb"`
	Published        timestamp      `json:"published"`
	EncryptionKeyURL string         `json:"encryptionKeyUrl"`
	Actor            person         `json:"actor"`
	Object           object         `json:"object"`
	Target           roomObject     `json:"target"`
	Parent           parentActivity `json:"parent"`

	raw json.RawMessage

	// What the one who delivers it knows of it:
	cluster  string // of public ids
	caughtUp bool
}

type parentActivity struct {
	ID   string `json:"id"`
	Type string `json:"type"` // reply, edit, reaction, cardAction
}

type person struct {
	ID           string `json:"id"`
	EntryUUID    string `json:"entryUUID"`
	EmailAddress string `json:"emailAddress"`
	DisplayName  string `json:"displayName"`
	OrgID        string `json:"orgId"`
}

// uuid is the person's UUID: some actors carry the email in id.
func (p *person) uuid() string {
	if p.EntryUUID != "" {
		return strings.ToLower(p.EntryUUID)
	}
	return strings.ToLower(p.ID)
}

func (p *person) email() string {
	if p.EmailAddress == "" && strings.Contains(p.ID, "@") {
		return p.ID
	}
	return p.EmailAddress
}

// items is how Webex wraps an array.
type items[T any] struct {
	Items []T `json:"items"`
}

// An object is what an activity is about: a message, a person, a room, ... It
// has the fields of all of them.
type object struct {
	ID               string            `json:"id"`
	ObjectType       string            `json:"objectType"`
	EncryptionKeyURL string            `json:"encryptionKeyUrl"`
	DisplayName      string            `json:"displayName"` // of a person, a room or a reaction too
	Content          string            `json:"content"`
	Cards            []string          `json:"cards"`
	Inputs           string            `json:"inputs"`
	Mentions         items[person]     `json:"mentions"`
	GroupMentions    items[group]      `json:"groupMentions"`
	Files            items[fileObject] `json:"files"`
	Links            items[linkObject] `json:"links"`
	Reactions        []reactionCount   `json:"reactions"`
	Parent           parentActivity    `json:"parent"`

	// Of a person:
	EntryUUID    string `json:"entryUUID"`
	EmailAddress string `json:"emailAddress"`
	OrgID        string `json:"orgId"`

	// Of a room:
	Tags          []string      `json:"tags"`
	Participants  items[person] `json:"participants"`
	DefaultKeyURL string        `json:"defaultActivityEncryptionKeyUrl"`
}

// person is the object where it is one.
func (o *object) person() person {
	return person{ID: o.ID, EntryUUID: o.EntryUUID, EmailAddress: o.EmailAddress, DisplayName: o.DisplayName, OrgID: o.OrgID}
}

type group struct {
	GroupType string `json:"groupType"`
}

type reactionCount struct {
	DisplayName string `json:"displayName"`
	Count       int    `json:"count"`
}

type fileObject struct {
	URL                    string      `json:"url"`
	EncryptionKeyURL       string      `json:"encryptionKeyUrl"`
	DisplayName            string      `json:"displayName"`
	MIMEType               string      `json:"mimeType"`
	FileSize               int64       `json:"fileSize"`
	Width                  int         `json:"width"`
	Height                 int         `json:"height"`
	SCR                    string      `json:"scr"`
	MalwareQuarantineState string      `json:"malwareQuarantineState"`
	Image                  imageObject `json:"image"`
}

type imageObject struct {
	URL      string `json:"url"`
	MIMEType string `json:"mimeType"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	SCR      string `json:"scr"`
}

type linkObject struct {
	EncryptionKeyURL string `json:"encryptionKeyUrl"`
	DisplayName      string `json:"displayName"`
	SSLR             string `json:"sslr"` // a secure link reference, made like a scr
}

type roomObject struct {
	ID               string   `json:"id"`
	URL              string   `json:"url"`
	EncryptionKeyURL string   `json:"encryptionKeyUrl"`
	DisplayName      string   `json:"displayName"`
	Tags             []string `json:"tags"`
}

// parseActivity reads an activity, or returns nil for what is none.
func parseActivity(b []byte) *activity {
	a := &activity{raw: bytes.Clone(b)} // b is part of a buffer that is used again
	if len(b) == 0 || b[0] != '{' || loose.Unmarshal(a.raw, a) != nil {
		return nil
	}
	return a
}

// room is the id of the room in which the activity happened. A room that was
// just made is the activity's object.
func (a *activity) room() string {
	if a.objectIsRoom() {
		return a.Object.ID
	}
	return a.Target.ID
}

func (a *activity) objectIsRoom() bool {
	return a.Target.ID == "" && a.Object.ObjectType == "conversation"
}

func (a *activity) direct() bool {
	tags := a.Target.Tags
	if a.objectIsRoom() {
		tags = a.Object.Tags
	}
	return slices.Contains(tags, "ONE_ON_ONE")
}

func (a *activity) roomType() RoomType {
	if a.direct() {
		return RoomDirect
	}
	return RoomGroup
}

// keyURL names the key of the activity's own strings; "" means that they are
// not encrypted.
func (a *activity) keyURL() string {
	return cmp.Or(a.EncryptionKeyURL, a.Object.EncryptionKeyURL, a.Target.EncryptionKeyURL, a.Object.DefaultKeyURL)
}

// keyURLs names every key that is needed to open the activity.
func (a *activity) keyURLs() []string {
	var urls []string
	for _, c := range a.closed() {
		if jwe.Like(*c.text) && c.keyURL != "" && !slices.Contains(urls, c.keyURL) {
			urls = append(urls, c.keyURL)
		}
	}
	return urls
}

// published is when the activity happened, by Webex's clock.
func (a *activity) published() time.Time { return a.Published.Time }
