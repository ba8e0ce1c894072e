package main

import (
	"context"
	"errors"
	"strings"
)

// publicEvents reports which of the SDK's own public events came of all that
// has happened: those that its users program against.
func (w *world) publicEvents(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience/2, errors.New("waited "+(patience/2).String()))
	defer cancel()
	w.report.section("Public: the SDK's own events")
	for _, event := range []string{
		"messages:created", "messages:deleted",
		"memberships:created", "memberships:updated", "memberships:deleted", "memberships:seen",
		"rooms:created", "rooms:updated",
		"attachmentActions:created",
	} {
		_, err := w.public.findID(ctx, event, func(v *view) bool { return v.event == event })
		w.report.check(strings.Replace(event, ":", ".on(", 1)+")", w.explain(err, w.witness))
	}
}
