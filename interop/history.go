package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// history lets the SDK read the past from the conversation service: it must be
// what it was told when it happened.
func (w *world) history(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("waited "+patience.String()))
	defer cancel()
	w.report.section("History: the SDK reads from the conversation service")

	var rooms []struct{ ID, URL, DisplayName string }
	err := w.witness.Call(ctx, &rooms, "internal.conversation.list", map[string]any{
		"sinceDate": 0, "isActive": true, "conversationsLimit": 100, "activitiesLimit": 0, "includeParticipants": false,
	})
	if err == nil {
		var titles []string
		for _, r := range rooms {
			titles = append(titles, r.DisplayName)
		}
		for _, want := range []string{w.group.Title(), "Another room"} {
			if !slices.Contains(titles, want) {
				err = errors.Join(err, fmt.Errorf("no room %q among %q", want, titles))
			}
		}
	}
	w.report.check("conversation.list has the rooms, their titles decrypted", w.explain(err, w.witness), fmt.Sprintf("SDK:  %d rooms", len(rooms)))

	var activities []activity
	err = w.witness.Call(ctx, &activities, "internal.conversation.listActivities", map[string]any{
		"conversationUrl": w.direct.URL(), "sinceDate": 0, "lastActivityFirst": false, "limit": 1000,
	})
	if err == nil {
		err = w.sameAsWitnessed(activities)
	}
	w.report.check("conversation.listActivities tells what Mercury told", w.explain(err, w.witness), fmt.Sprintf("SDK:  %d activities", len(activities)))
}

// sameAsWitnessed compares what the conversation service keeps of the direct
// room with what came by Mercury. What was deleted since is a tombstone, and
// what was there before the witness connected, it has not seen.
func (w *world) sameAsWitnessed(activities []activity) error {
	witnessed := slices.DeleteFunc(w.theirs.all(), func(a *account) bool { return a.whole().get("room") != w.direct.ID })
	if len(witnessed) == 0 {
		return errors.New("the witness has seen nothing")
	}
	at := slices.IndexFunc(activities, func(a activity) bool { return a.ID == witnessed[0].activityID })
	if at < 0 {
		return errors.New("the first activity that Mercury told is not there")
	}
	activities = activities[at:]
	if len(activities) != len(witnessed) {
		return fmt.Errorf("it has %d activities, Mercury told %d", len(activities), len(witnessed))
	}
	narrator := newNarrator()
	var problems []string
	for i, a := range activities {
		kept := &account{activityID: a.ID, views: narrator.tell(&a)}
		switch {
		case a.Verb != "tombstone":
			problems = append(problems, compare(witnessed[i], kept, "the service")...)
		case a.ID != witnessed[i].activityID:
			problems = append(problems, fmt.Sprintf("activity %d is another one than Mercury told", i))
		}
	}
	return joined(problems)
}
