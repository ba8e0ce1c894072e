package webexmsg

import (
	"encoding/json"
	"strings"
	"time"
)

// An activity is one thing that happened in a room, as Webex sends it: its
// encrypted strings still closed. Webex's names are kept.
type activity struct {
	ID               string     `json:"id"`
	URL              string     `json:"url"`
	Verb             string     `json:"verb"`
	Published        timestamp  `json:"published"`
	EncryptionKeyURL string     `json:"encryptionKeyUrl"`
	Actor            person     `json:"actor"`
	Object           object     `json:"object"`
	Target           roomObject `json:"target"`
	Parent           struct {
		ID   string `json:"id"`
		Type string `json:"type"` // reply, edit, reaction, cardAction
	} `json:"parent"`

	raw json.RawMessage
}

type person struct {
	ID           string `json:"id"`
	EntryUUID    string `json:"entryUUID"`
	EmailAddress string `json:"emailAddress"`
	DisplayName  string `json:"displayName"`
	OrgID        string `json:"orgId"`
	Type         string `json:"type"`
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

type object struct {
	ID               string   `json:"id"`
	ObjectType       string   `json:"objectType"`
	EncryptionKeyURL string   `json:"encryptionKeyUrl"`
	DisplayName      string   `json:"displayName"`
	Content          string   `json:"content"`
	Inputs           string   `json:"inputs"`
	Cards            []string `json:"cards"`
	Mentions         struct {
		Items []person `json:"items"`
	} `json:"mentions"`
	GroupMentions struct {
		Items []struct {
			GroupType string `json:"groupType"`
		} `json:"items"`
	} `json:"groupMentions"`
	Files struct {
		Items []fileObject `json:"items"`
	} `json:"files"`
}

type fileObject struct {
	URL              string `json:"url"`
	EncryptionKeyURL string `json:"encryptionKeyUrl"`
	DisplayName      string `json:"displayName"`
	MIMEType         string `json:"mimeType"`
	FileSize         int64  `json:"fileSize"`
}

type roomObject struct {
	ID               string   `json:"id"`
	URL              string   `json:"url"`
	EncryptionKeyURL string   `json:"encryptionKeyUrl"`
	Tags             []string `json:"tags"`
}

// parseActivity reads an activity, or returns nil for what is none.
func parseActivity(b []byte) *activity {
	a := &activity{raw: b}
	if len(b) == 0 || b[0] != '{' || decodeLoosely(b, a) != nil {
		return nil
	}
	return a
}

// room is the id of the room in which the activity happened. A room that was
// just made is the activity's object.
func (a *activity) room() string {
	if a.Target.ID == "" && a.Object.ObjectType == "conversation" {
		return a.Object.ID
	}
	return a.Target.ID
}

func (a *activity) direct() bool {
	for _, tag := range a.Target.Tags {
		if tag == "ONE_ON_ONE" {
			return true
		}
	}
	return false
}

// keyURL names the key of the activity's own strings; "" means that they are
// not encrypted.
func (a *activity) keyURL() string {
	for _, u := range [...]string{a.EncryptionKeyURL, a.Object.EncryptionKeyURL, a.Target.EncryptionKeyURL} {
		if u != "" {
			return u
		}
	}
	return ""
}

// keyURLs names every key that is needed to open the activity.
func (a *activity) keyURLs() []string {
	var urls []string
	if u := a.keyURL(); u != "" {
		urls = append(urls, u)
	}
	for i := range a.Object.Files.Items {
		if u := a.Object.Files.Items[i].EncryptionKeyURL; u != "" && u != a.keyURL() {
			urls = append(urls, u)
		}
	}
	return urls
}

// published is when the activity happened, by Webex's clock.
func (a *activity) published() time.Time { return a.Published.Time }
