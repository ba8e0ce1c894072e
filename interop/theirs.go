package main

import (
	"encoding/json"
	"fmt"
	"time"
)

// sdkActivity is an activity as the SDK hands it on: decrypted, its people
// normalised.
type sdkActivity struct {
	ID        string    `json:"id"`
	Verb      string    `json:"verb"`
	Published time.Time `json:"published"`
	Actor     sdkPerson `json:"actor"`
	Object    struct {
		sdkPerson
		ID          string   `json:"id"`
		ObjectType  string   `json:"objectType"`
		DisplayName string   `json:"displayName"`
		Content     string   `json:"content"`
		Cards       []string `json:"cards"`
		Inputs      any      `json:"inputs"`
		Mentions    struct {
			Items []sdkPerson `json:"items"`
		} `json:"mentions"`
		GroupMentions struct {
			Items []struct {
				GroupType string `json:"groupType"`
			} `json:"items"`
		} `json:"groupMentions"`
		Files struct {
			Items []struct {
				URL         string `json:"url"`
				DisplayName string `json:"displayName"`
				MIMEType    string `json:"mimeType"`
				FileSize    int64  `json:"fileSize"`
				Quarantine  string `json:"malwareQuarantineState"`
			} `json:"items"`
		} `json:"files"`
		Links struct {
			Items []struct {
				DisplayName string `json:"displayName"`
				SSLR        struct {
					Loc string `json:"loc"`
				} `json:"sslr"`
			} `json:"items"`
		} `json:"links"`
		Reactions []struct {
			DisplayName string `json:"displayName"`
			Count       int    `json:"count"`
		} `json:"reactions"`
		Participants struct {
			Items []sdkPerson `json:"items"`
		} `json:"participants"`
	} `json:"object"`
	Target struct {
		ID   string   `json:"id"`
		URL  string   `json:"url"`
		Tags []string `json:"tags"`
	} `json:"target"`
	Parent struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"parent"`
}

type sdkPerson struct {
	ID           string `json:"id"`
	EntryUUID    string `json:"entryUUID"`
	EmailAddress string `json:"emailAddress"`
}

// decryptionFailure is what the SDK puts in place of what it cannot decrypt.
const decryptionFailure = "This message cannot be decrypted"

// event is the event that the activity should be in webexmsg, read off its
// shape as docs of the protocol have it. "" is none.
//
// A new event gets its line here, its fields in view, and its subscription in
// ours.go.
func (a *sdkActivity) event() string {
	switch key := a.Verb + " " + a.Object.ObjectType; {
	case key == "post comment" && a.Parent.Type != "edit", key == "share content":
		return "message:created"
	case key == "post comment", key == "update comment", key == "update content":
		return "message:updated"
	case key == "delete activity" && a.Parent.Type != "reaction":
		return "message:deleted"
	}
	return ""
}

// view takes in everything that an event of webexmsg may say.
func (a *sdkActivity) view() *view {
	v := &view{activityID: a.ID, event: a.event()}
	v.add("verb", a.Verb)
	v.add("room", a.Target.ID)
	v.add("roomType", roomType(a.Target.Tags))
	v.add("person", a.Actor.EntryUUID)
	v.add("email", a.Actor.EmailAddress)
	v.add("created", a.Published.UTC().Format(time.RFC3339Nano))
	if a.event() == "message:deleted" {
		v.add("about", a.Object.ID)
		return v
	}
	if v.event == "" {
		a.describe(v)
		return v
	}
	v.add("text", a.Object.DisplayName)
	v.add("html", a.Object.Content)
	parent := a.Parent.ID
	if parent == "" && a.Verb == "update" {
		parent = a.Object.ID // an update names what it changes as its object
	}
	v.add("parent", parent)
	var mentions, groups, files []string
	for _, p := range a.Object.Mentions.Items {
		mentions = append(mentions, p.ID)
	}
	for _, g := range a.Object.GroupMentions.Items {
		groups = append(groups, g.GroupType)
	}
	for _, f := range a.Object.Files.Items {
		files = append(files, describeFile(f.DisplayName, f.MIMEType, f.FileSize, f.URL))
	}
	v.add("mentions", mentions)
	v.add("groups", groups)
	v.add("files", files)
	v.also("cards", a.Object.Cards)
	v.also("links", a.links())
	return v
}

// describe is for what is no event of webexmsg yet: only the SDK judges it.
func (a *sdkActivity) describe(v *view) {
	v.also("parent", a.Parent.ID)
	switch a.Object.ObjectType {
	case "person":
		v.also("subject", a.Object.EntryUUID)
	case "conversation":
		v.also("title", a.Object.DisplayName)
		var members []string
		for _, p := range a.Object.Participants.Items {
			members = append(members, p.EntryUUID)
		}
		v.also("members", members)
	case "reaction2":
		v.also("reaction", a.Object.DisplayName)
	case "reaction2Summary":
		var tally []string
		for _, r := range a.Object.Reactions {
			tally = append(tally, fmt.Sprintf("%s×%d", r.DisplayName, r.Count))
		}
		v.also("reaction", tally)
	case "submit":
		v.also("inputs", encode(a.Object.Inputs))
	case "activity":
		v.also("about", a.Object.ID)
	}
}

func (a *sdkActivity) links() []string {
	var list []string
	for _, l := range a.Object.Links.Items {
		list = append(list, l.DisplayName+" at "+l.SSLR.Loc)
	}
	return list
}

func describeFile(name, mimeType string, size int64, url string) string {
	return fmt.Sprintf("%s (%s, %d bytes) at %s", name, mimeType, size, url)
}

func roomType(tags []string) string {
	for _, tag := range tags {
		if tag == "ONE_ON_ONE" {
			return "direct"
		}
	}
	return "group"
}

// encode is v as JSON, for comparisons of what has no order.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
