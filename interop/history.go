package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

	var activities []sdkActivity
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
func (w *world) sameAsWitnessed(activities []sdkActivity) error {
	witnessed := w.theirs.all(func(v *view) bool { return v.get("room") == w.direct.ID })
	if len(witnessed) == 0 {
		return errors.New("the witness has seen nothing")
	}
	at := slices.IndexFunc(activities, func(a sdkActivity) bool { return a.ID == witnessed[0].activityID })
	if at < 0 {
		return errors.New("the first activity that Mercury told is not there")
	}
	activities = activities[at:]
	if len(activities) != len(witnessed) {
		return fmt.Errorf("it has %d activities, Mercury told %d", len(activities), len(witnessed))
	}
	var problems []string
	for i, a := range activities {
		if now := a.view(); a.Verb != "tombstone" {
			for _, d := range differences(witnessed[i], now) {
				// "ours" is the service's view here.
				problems = append(problems, fmt.Sprintf("activity %d: %s", i, strings.ReplaceAll(d, "ours", "now")))
			}
		} else if a.ID != witnessed[i].activityID {
			problems = append(problems, fmt.Sprintf("activity %d: another one than Mercury told", i))
		}
	}
	return joined(problems)
}
