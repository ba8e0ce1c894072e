package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/webexmsg/webexmsg"
)

// A view is an event as one side has it. Both sides' are brought into this
// form, to be compared.
type view struct {
	event  string // its name in webexmsg
	fields []field
}

type field struct{ name, value string }

// add adds a field. What is empty is left out, so that "absent" and "empty" are
// the same.
func (v *view) add(name string, value any) {
	text := fmt.Sprint(value)
	if list, ok := value.([]string); ok {
		text = strings.Join(list, ", ")
	}
	if text != "" {
		v.fields = append(v.fields, field{name, text})
	}
}

func (v *view) get(name string) string {
	for _, f := range v.fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// String is a line for the report: the event, and what is worth reading of it.
func (v *view) String() string {
	parts := []string{v.event}
	for _, name := range []string{
		"action", "verb", "object", "text", "html", "title", "reaction", "inputs", "files", "links", "cards", "mentions", "groups", "subject",
	} {
		if value := v.get(name); value != "" {
			parts = append(parts, fmt.Sprintf("%s=%q", name, shorten(value)))
		}
	}
	return strings.Join(parts, " ")
}

func shorten(s string) string {
	const most = 70
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// quote is s for a report, with its length if it is too long to be shown.
func quote(s string) string {
	const most = 300
	if len(s) <= most {
		return strconv.Quote(s)
	}
	return fmt.Sprintf("%q… (%d bytes)", s[:most], len(s))
}

// An account is all that one side says of one activity: the events that it is,
// in order, of which the last is always "activity".
type account struct {
	activityID string
	sequence   int // of the SDK's frame; 0 in ours
	views      []*view
	files      []webexmsg.File // of our message, to be opened
}

// event returns the view of that event, an empty one if there is none.
func (a *account) event(name string) *view {
	for _, v := range a.views {
		if v.event == name {
			return v
		}
	}
	return &view{event: name}
}

// whole is the activity itself.
func (a *account) whole() *view { return a.event("activity") }

func (a *account) lines(side string) []string {
	var lines []string
	for _, v := range a.views {
		if v.event != "activity" || len(a.views) == 1 {
			lines = append(lines, side+v.String())
		}
	}
	return lines
}

func (a *account) size() int {
	n := 0
	for _, v := range a.views {
		n += len(v.fields)
	}
	return n
}

// compare compares the SDK's account with the other side's, event by event and
// field by field.
func compare(theirs, others *account, side string) []string {
	var list []string
	differ := func(name, a, b string) {
		if a != b {
			list = append(list, fmt.Sprintf("%s: SDK %s, %s %s", name, quote(a), side, quote(b)))
		}
	}
	differ("activity", theirs.activityID, others.activityID)
	differ("events", strings.Join(theirs.events(), " "), strings.Join(others.events(), " "))
	if len(list) > 0 {
		return list
	}
	for i, v := range theirs.views {
		other := others.views[i]
		var names []string
		for _, f := range slices.Concat(v.fields, other.fields) {
			if !slices.Contains(names, f.name) {
				names = append(names, f.name)
			}
		}
		for _, name := range names {
			differ(v.event+" "+name, v.get(name), other.get(name))
		}
	}
	return list
}

func (a *account) events() []string {
	var names []string
	for _, v := range a.views {
		names = append(names, v.event)
	}
	return names
}

// encode is v as JSON with its members in order.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
