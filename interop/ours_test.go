package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webexmsg/webexmsg"
)

// TestRecorderTellsEveryField changes each field of each payload in turn, and
// expects to find the change in what the recorder makes of it: a field that is
// added to a payload and not here is compared with nothing.
func TestRecorderTellsEveryField(t *testing.T) {
	// What an activity of a cloud does not say, or what is compared elsewhere.
	skip := []string{"Raw", "CaughtUp"}

	for _, p := range []struct {
		payload any // a pointer
		record  func(*recorder)
	}{
		payload(func(r *recorder, m webexmsg.DecryptedMessage) { r.message("message:created", m) }),
		payload((*recorder).deletion),
		payload((*recorder).attachmentAction),
		payload(func(r *recorder, m webexmsg.MembershipActivity) { r.membership("membership:created", m) }),
		payload(func(r *recorder, a webexmsg.RoomActivity) { r.room("room:created", a) }),
		payload(func(r *recorder, a webexmsg.ReactionActivity) { r.reaction("reaction:created", a) }),
		payload((*recorder).tally),
		payload(func(r *recorder, f webexmsg.File) {
			r.message("message:created", webexmsg.DecryptedMessage{Files: []webexmsg.File{f}})
		}),
		payload(func(r *recorder, l webexmsg.Link) {
			r.message("message:created", webexmsg.DecryptedMessage{Links: []webexmsg.Link{l}})
		}),
	} {
		told := func() string {
			r := &recorder{stream: newStream(), ids: newPublicIDs(), rest: newRESTIDs()}
			p.record(r)
			return fmt.Sprint(r.views[0].fields)
		}
		v := reflect.ValueOf(p.payload).Elem()
		before := told()
		for _, field := range reflect.VisibleFields(v.Type()) {
			if !field.IsExported() || slices.Contains(skip, field.Name) {
				continue
			}
			f := v.FieldByIndex(field.Index)
			f.Set(other(t, field))
			if told() == before {
				t.Errorf("%s.%s is not recorded", v.Type().Name(), field.Name)
			}
			f.SetZero()
		}
	}
}

// payload pairs a payload with how it is recorded.
func payload[T any](record func(*recorder, T)) struct {
	payload any
	record  func(*recorder)
} {
	v := new(T)
	return struct {
		payload any
		record  func(*recorder)
	}{v, func(r *recorder) { record(r, *v) }}
}

// other is a value that is not the zero one.
func other(t *testing.T, field reflect.StructField) reflect.Value {
	t.Helper()
	switch field.Type {
	case reflect.TypeFor[time.Time]():
		return reflect.ValueOf(time.Unix(1, 0))
	case reflect.TypeFor[[]string]():
		return reflect.ValueOf([]string{"other"})
	case reflect.TypeFor[[]json.RawMessage]():
		return reflect.ValueOf([]json.RawMessage{json.RawMessage("{}")})
	case reflect.TypeFor[map[string]any]():
		return reflect.ValueOf(map[string]any{"other": 1})
	case reflect.TypeFor[map[string]int]():
		return reflect.ValueOf(map[string]int{"other": 1})
	case reflect.TypeFor[[]webexmsg.File]():
		return reflect.ValueOf([]webexmsg.File{{Name: "other"}})
	case reflect.TypeFor[[]webexmsg.Link]():
		return reflect.ValueOf([]webexmsg.Link{{Title: "other"}})
	case reflect.TypeFor[*webexmsg.File]():
		return reflect.ValueOf(&webexmsg.File{URL: "other"})
	}
	switch field.Type.Kind() {
	case reflect.String:
		return reflect.ValueOf("other").Convert(field.Type)
	case reflect.Int, reflect.Int64:
		return reflect.ValueOf(1).Convert(field.Type)
	}
	t.Fatalf("%s: no other value of type %v is known here", field.Name, field.Type)
	return reflect.Value{}
}

// TestRecorderComparesRaw: an activity that says another thing than its Raw is
// a failure, in each field.
func TestRecorderComparesRaw(t *testing.T) {
	said := webexmsg.Activity{
		ID: "a1", Verb: "post", ObjectType: "comment", ParentID: "a0", ParentType: "reply", RoomID: "r1", RoomType: webexmsg.RoomDirect,
		ActorID: "p1", ActorEmail: "alice@example.com", ActorDisplayName: "Alice", ActorOrgID: "o1",
		Published: time.Date(2026, 11, 23, 8, 43, 59, 858e6, time.UTC), Raw: json.RawMessage(post),
	}
	record := func(a webexmsg.Activity) *stream {
		r := &recorder{stream: newStream(), ids: newPublicIDs(), rest: newRESTIDs()}
		r.activity(a)
		return r.stream
	}
	if s := record(said); len(s.failures) > 0 {
		t.Fatalf("an activity differs from its own Raw: %v", s.failures)
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[webexmsg.Activity]()) {
		if !field.IsExported() || field.Name == "Raw" {
			continue
		}
		changed := said
		v := reflect.ValueOf(&changed).Elem().FieldByIndex(field.Index)
		v.SetZero()
		if s := record(changed); len(s.failures) == 0 {
			t.Errorf("an empty %s goes unnoticed", field.Name)
		}
		v.Set(other(t, field))
		if s := record(changed); len(s.failures) == 0 {
			t.Errorf("another %s goes unnoticed", field.Name)
		}
	}
}

// TestRecorderAsksForEveryRESTID: each method that makes an id of the REST API
// is called, and what it makes is kept for the SDK's judgement.
func TestRecorderAsksForEveryRESTID(t *testing.T) {
	for _, p := range []struct {
		typ    reflect.Type
		record func(*recorder)
		want   int
	}{
		{reflect.TypeFor[webexmsg.DecryptedMessage](), func(r *recorder) {
			r.message("message:created", webexmsg.DecryptedMessage{ID: "1", ParentID: "2", RoomID: "3", PersonID: "4"})
		}, 4},
		{reflect.TypeFor[webexmsg.DeletedMessage](), func(r *recorder) {
			r.deletion(webexmsg.DeletedMessage{MessageID: "1", RoomID: "2", PersonID: "3"})
		}, 3},
		{reflect.TypeFor[webexmsg.AttachmentAction](), func(r *recorder) {
			r.attachmentAction(webexmsg.AttachmentAction{ID: "1", MessageID: "2", RoomID: "3", PersonID: "4"})
		}, 4},
		{reflect.TypeFor[webexmsg.MembershipActivity](), func(r *recorder) {
			r.membership("membership:seen", webexmsg.MembershipActivity{MessageID: "1", RoomID: "2", PersonID: "3", ActorID: "4"})
		}, 5},
		{reflect.TypeFor[webexmsg.RoomActivity](), func(r *recorder) {
			r.room("room:created", webexmsg.RoomActivity{RoomID: "1", ActorID: "2"})
		}, 2},
		{reflect.TypeFor[webexmsg.ReactionActivity](), func(r *recorder) {
			r.reaction("reaction:created", webexmsg.ReactionActivity{MessageID: "1", RoomID: "2", PersonID: "3"})
		}, 3},
		{reflect.TypeFor[webexmsg.ReactionTally](), func(r *recorder) {
			r.tally(webexmsg.ReactionTally{MessageID: "1", RoomID: "2"})
		}, 2},
		{reflect.TypeFor[webexmsg.Activity](), func(r *recorder) {
			r.activity(webexmsg.Activity{RoomID: "1", ActorID: "2", Raw: json.RawMessage("{}")})
		}, 2},
	} {
		methods := 0
		for i := range p.typ.NumMethod() {
			if strings.HasSuffix(p.typ.Method(i).Name, "RESTID") {
				methods++
			}
		}
		r := &recorder{stream: newStream(), ids: newPublicIDs(), rest: newRESTIDs()}
		p.record(r)
		asked, _ := r.rest.question()
		if methods != p.want || len(asked) != p.want {
			t.Errorf("%s has %d such methods, of which %d are asked for, want %d", p.typ.Name(), methods, len(asked), p.want)
		}
	}
}
