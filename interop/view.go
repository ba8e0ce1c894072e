package main

import (
	"fmt"
	"slices"
	"strings"
)

// A view is what one side made of an activity: the event that it is, and what
// the event says. Both sides are brought into this form to be compared.
type view struct {
	activityID string
	sequence   int    // of the SDK's frame: the order in which Mercury sent it
	event      string // its name in webexmsg; "" for what is no event there
	fields     []field
	more       []field // what the other side's events have no place for
}

type field struct{ name, value string }

// add adds a field for comparison. What is empty is left out, so that "absent"
// and "empty" are the same.
func (v *view) add(name string, value any) { v.fields = appendField(v.fields, name, value) }

// also adds a field that only one side has.
func (v *view) also(name string, value any) { v.more = appendField(v.more, name, value) }

func appendField(list []field, name string, value any) []field {
	text := fmt.Sprint(value)
	if several, ok := value.([]string); ok {
		text = strings.Join(several, ", ")
	}
	if text == "" {
		return list
	}
	return append(list, field{name, text})
}

func (v *view) get(name string) string {
	if name == "event" {
		return v.event
	}
	for _, f := range slices.Concat(v.fields, v.more) {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// String is a line for the report: the event and what was said.
func (v *view) String() string {
	parts := []string{v.get("verb")}
	if v.event != "" {
		parts = append(parts, v.event)
	}
	for _, name := range []string{"text", "html", "files", "cards", "inputs", "reaction", "mentions", "groups", "subject", "title", "about"} {
		if value := v.get(name); value != "" {
			parts = append(parts, fmt.Sprintf("%s=%q", name, shorten(value)))
		}
	}
	return strings.Join(parts, " ")
}

func shorten(s string) string {
	const most = 90
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// differences compares the SDK's view with ours, field by field.
func differences(theirs, ours *view) []string {
	var list []string
	differ := func(name, a, b string) {
		if a != b {
			list = append(list, fmt.Sprintf("%s: SDK %q, ours %q", name, a, b))
		}
	}
	differ("activity", theirs.activityID, ours.activityID)
	differ("event", theirs.event, ours.event)
	names := make([]string, 0, len(theirs.fields)+len(ours.fields))
	for _, f := range slices.Concat(theirs.fields, ours.fields) {
		if !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	for _, name := range names {
		differ(name, theirs.get(name), ours.get(name))
	}
	return list
}
