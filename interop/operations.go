package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// An operation is one thing that somebody does in a room, and what the others
// must see of it.
type operation struct {
	name string

	// do does it and returns the id of the activity.
	do func(ctx context.Context, w *world) (id string, err error)

	// verb and want are what the SDK, as witness, must say of it, besides
	// what makes it the same as in our view.
	verb string
	want map[string]string

	// then, if any, checks more once it has been seen.
	then func(ctx context.Context, w *world, seen *view) error
}

// perform does an operation and reports what both sides saw of it.
func (w *world) perform(ctx context.Context, op operation) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("waited "+patience.String()))
	defer cancel()
	id, err := op.do(ctx, w)
	if err != nil {
		w.report.check(op.name, w.explain(err, w.sender))
		return
	}
	theirs, err := w.theirs.find(ctx, id)
	if err != nil {
		w.report.check(op.name, w.explain(errors.Join(err, w.lookAtOurs(ctx, id)), w.witness))
		return
	}
	details := []string{"SDK:  " + theirs.String()}
	problems := op.misses(theirs)
	if subscriptions[theirs.event] != nil {
		ours, err := w.ours.find(ctx, id)
		if err != nil {
			problems = append(problems, "our Handler: "+err.Error())
		} else {
			details = append(details, "ours: "+ours.String())
			problems = append(problems, differences(theirs, ours)...)
		}
	} else {
		details = append(details, "ours: no such event yet")
	}
	if op.then != nil {
		if err := op.then(ctx, w, theirs); err != nil {
			problems = append(problems, err.Error())
		}
	}
	w.report.check(op.name, joined(problems), details...)
}

// lookAtOurs is what our Handler makes of an activity that the SDK cannot read:
// it must not pretend that it can.
func (w *world) lookAtOurs(ctx context.Context, id string) error {
	ours, err := w.ours.find(ctx, id)
	if err != nil {
		return fmt.Errorf("our Handler: %w", err)
	}
	return fmt.Errorf("our Handler delivers it: %s", ours)
}

// misses compares the witness's view with what the operation wants.
func (op *operation) misses(theirs *view) []string {
	var problems []string
	if got := theirs.get("verb"); got != op.verb {
		problems = append(problems, fmt.Sprintf("verb: SDK %q, want %q", got, op.verb))
	}
	for name, want := range op.want {
		if got := theirs.get(name); got != want {
			problems = append(problems, fmt.Sprintf("%s: SDK %q, want %q", name, got, want))
		}
	}
	return problems
}

func joined(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return errors.New(strings.Join(problems, "\n"))
}

// acknowledged reports whether everybody has acknowledged every frame.
func (w *world) acknowledged(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience/2)
	defer cancel()
	err := w.WaitAcked(ctx)
	if err != nil {
		var problems []string
		for _, p := range w.people() {
			for _, d := range w.Devices(p) {
				for _, frame := range d.Unacked {
					problems = append(problems, fmt.Sprintf("ack withheld: device %q of %s has not acknowledged frame %s", d.Name, p.Email, frame))
				}
			}
		}
		err = joined(problems)
	}
	w.report.check("every frame has been acknowledged, by the SDK and by our Handler", err)
}

// asMap is v as the SDK's functions take objects.
func asMap(v json.RawMessage) map[string]any {
	var m map[string]any
	json.Unmarshal(v, &m) // it came from the driver as JSON
	return m
}
