package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// An activity is one in clear: as the SDK hands it on, or as our Handler does
// in Raw.
type activity struct {
	ID        string    `json:"id"`
	Verb      string    `json:"verb"`
	Published time.Time `json:"published"`
	Actor     person    `json:"actor"`
	Object    object    `json:"object"`
	Target    struct {
		ID          string   `json:"id"`
		DisplayName string   `json:"displayName"`
		Tags        []string `json:"tags"`
	} `json:"target"`
	Parent struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"parent"`
}

type person struct {
	ID           string `json:"id"`
	EntryUUID    string `json:"entryUUID"`
	EmailAddress string `json:"emailAddress"`
	DisplayName  string `json:"displayName"`
	OrgID        string `json:"orgId"`
}

type object struct {
	ID            string       `json:"id"`
	EntryUUID     string       `json:"entryUUID"`
	EmailAddress  string       `json:"emailAddress"`
	OrgID         string       `json:"orgId"`
	ObjectType    string       `json:"objectType"`
	DisplayName   string       `json:"displayName"`
	Content       string       `json:"content"`
	Cards         []string     `json:"cards"`
	Inputs        document     `json:"inputs"`
	Mentions      list[person] `json:"mentions"`
	GroupMentions list[struct {
		GroupType string `json:"groupType"`
	}] `json:"groupMentions"`
	Files     list[file] `json:"files"`
	Links     list[link] `json:"links"`
	Reactions []struct {
		DisplayName string `json:"displayName"`
		Count       int    `json:"count"`
	} `json:"reactions"`
	Participants list[person] `json:"participants"`
}

type list[T any] struct {
	Items []T `json:"items"`
}

type file struct {
	URL         string `json:"url"`
	DisplayName string `json:"displayName"`
	MIMEType    string `json:"mimeType"`
	FileSize    int64  `json:"fileSize"`
	Quarantine  string `json:"malwareQuarantineState"`
	Image       struct {
		URL    string `json:"url"`
		Width  int    `json:"width"`
		Height int    `json:"height"`
	} `json:"image"`
}

type link struct {
	DisplayName string   `json:"displayName"`
	SSLR        document `json:"sslr"`
}

// A document is JSON in a string, as it was encrypted, or already decoded, as
// the SDK hands it on.
type document struct{ value any }

func (d *document) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &d.value); err != nil {
		return err
	}
	if text, ok := d.value.(string); ok {
		var decoded any
		if json.Unmarshal([]byte(text), &decoded) == nil {
			d.value = decoded
		}
	}
	return nil
}

func (d document) String() string {
	if d.value == nil {
		return ""
	}
	return encode(d.value)
}

func (d document) member(name string) string {
	object, _ := d.value.(map[string]any)
	text, _ := object[name].(string)
	return text
}

// view is everything that is in the activity, under the event "activity", but
// for what opens files and links: our Handler leaves that closed in Raw. The
// events of messages have the links, and the files are compared by content.
func (a *activity) view() *view {
	v := &view{event: "activity"}
	v.add("id", a.ID)
	v.add("verb", a.Verb)
	v.add("object", a.Object.ObjectType)
	v.add("about", a.Object.ID)
	v.add("room", a.room())
	v.add("roomType", a.roomType())
	v.addPerson("actor", a.Actor)
	v.add("published", stamp(a.Published))
	v.add("parentType", a.Parent.Type)
	v.add("parent", a.Parent.ID)
	v.add("text", a.Object.DisplayName)
	v.add("html", a.Object.Content)
	v.add("mentions", a.mentions())
	v.add("groups", a.groups())
	v.add("cards", a.Object.Cards)
	v.add("inputs", a.Object.Inputs)
	v.add("reaction", a.tally())
	v.add("subject", a.Object.EntryUUID)
	for i, f := range a.Object.Files.Items {
		v.add(fmt.Sprint("file ", i), f.describe())
	}
	for i, p := range a.Object.Participants.Items {
		v.addPerson(fmt.Sprint("participant ", i), p)
	}
	return v
}

func (v *view) addPerson(who string, p person) {
	v.add(who, p.EntryUUID)
	v.add(who+"Email", p.EmailAddress)
	v.add(who+"Name", p.DisplayName)
	v.add(who+"Org", p.OrgID)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// room is the activity's room: a new one is its object.
func (a *activity) room() string {
	if a.Target.ID == "" {
		return a.Object.ID
	}
	return a.Target.ID
}

func (a *activity) roomType() string {
	if slices.Contains(a.Target.Tags, "ONE_ON_ONE") {
		return "direct"
	}
	return "group"
}

func (a *activity) mentions() []string {
	var ids []string
	for _, p := range a.Object.Mentions.Items {
		ids = append(ids, p.ID)
	}
	return ids
}

func (a *activity) groups() []string {
	var kinds []string
	for _, g := range a.Object.GroupMentions.Items {
		kinds = append(kinds, g.GroupType)
	}
	return kinds
}

func (a *activity) links() []string {
	var links []string
	for _, l := range a.Object.Links.Items {
		links = append(links, describeLink(l.DisplayName, l.SSLR.member("loc")))
	}
	return links
}

func (a *activity) files() []string {
	var files []string
	for _, f := range a.Object.Files.Items {
		files = append(files, f.describe())
	}
	return files
}

func (a *activity) tally() []string {
	counts := make(map[string]int)
	for _, r := range a.Object.Reactions {
		counts[r.DisplayName] = r.Count
	}
	return describeTally(counts)
}

func (f *file) describe() string {
	return describeFile(f.DisplayName, f.MIMEType, f.FileSize, f.Image.Width, f.Image.Height, f.Quarantine, f.URL, f.Image.URL)
}

func describeFile(name, mimeType string, size int64, width, height int, quarantine, url, thumbnail string) string {
	return fmt.Sprintf("%s (%s, %d bytes, %d×%d, scan %q) at %s, thumbnail %q", name, mimeType, size, width, height, quarantine, url, thumbnail)
}

func describeLink(title, url string) string { return title + " at " + url }

func describeTally(counts map[string]int) []string {
	var tally []string
	for name, n := range counts {
		tally = append(tally, fmt.Sprintf("%s×%d", name, n))
	}
	slices.Sort(tally)
	return tally
}
