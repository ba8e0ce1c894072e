package webexmsg

import (
	"strings"

	"golang.org/x/net/html"
)

// mentions lists whom a message mentions: by the fields beside the text, else
// by its HTML, which says the same.
func (o *object) mentions() (people, groups []string) {
	for i := range o.Mentions.Items {
		if id := o.Mentions.Items[i].uuid(); id != "" {
			people = append(people, id)
		}
	}
	for _, g := range o.GroupMentions.Items {
		if g.GroupType != "" {
			groups = append(groups, g.GroupType)
		}
	}
	if people == nil && groups == nil && strings.Contains(o.Content, "<spark-mention") {
		return htmlMentions(o.Content)
	}
	return people, groups
}

// htmlMentions reads <spark-mention data-object-type="person"
// data-object-id="UUID"> and <spark-mention data-object-type="groupMention"
// data-group-type="all">, each once.
func htmlMentions(content string) (people, groups []string) {
	seen := make(map[string]bool)
	add := func(list []string, id string) []string {
		if id == "" || seen[id] {
			return list
		}
		seen[id] = true
		return append(list, id)
	}
	for z := html.NewTokenizer(strings.NewReader(content)); z.Next() != html.ErrorToken; {
		t := z.Token()
		if t.Data != "spark-mention" || t.Type != html.StartTagToken && t.Type != html.SelfClosingTagToken {
			continue
		}
		attr := make(map[string]string)
		for _, a := range t.Attr {
			attr[a.Key] = a.Val
		}
		switch attr["data-object-type"] {
		case "person":
			people = add(people, strings.ToLower(attr["data-object-id"]))
		case "groupMention":
			groups = add(groups, attr["data-group-type"])
		}
	}
	return people, groups
}
