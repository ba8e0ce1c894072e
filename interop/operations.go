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

	// What the SDK, as witness, must say of it: the verb, the (first) event
	// of webexmsg that it is, if any, and fields of the activity. That our
	// Handler must say the same, in all fields, goes without saying.
	verb  string
	event string
	want  map[string]string

	// then, if any, checks more once the witness has told of it.
	then func(ctx context.Context, w *world, seen *account) error
}

// perform does an operation and reports what both sides saw of it.
func (w *world) perform(ctx context.Context, op operation) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("waited "+patience.String()))
	defer cancel()
	w.witness.Complaints() // what went before explains nothing here
	if w.sender != nil {
		w.sender.Complaints()
	}
	id, err := op.do(ctx, w)
	if err != nil {
		w.report.check(op.name, w.explain(err, w.sender))
		return
	}
	theirs, err := w.theirs.find(ctx, id)
	if err != nil {
		w.report.check(op.name, errors.Join(w.explain(err, w.witness), w.lookAtOurs(ctx, id)))
		return
	}
	details := theirs.lines("SDK:  ")
	problems := op.misses(theirs)
	if ours, err := w.ours.find(ctx, id); err != nil {
		problems = append(problems, "our Handler: "+err.Error())
	} else {
		details = append(details, ours.lines("ours: ")...)
		problems = append(problems, compare(theirs, ours, "ours")...)
	}
	if op.then != nil {
		if err := op.then(ctx, w, theirs); err != nil {
			problems = append(problems, err.Error())
		}
	}
	w.report.check(op.name, joined(problems), details...)
}

// lookAtOurs says what our Handler made of an activity that the SDK cannot
// read.
func (w *world) lookAtOurs(ctx context.Context, id string) error {
	ours, err := w.ours.find(ctx, id)
	if err != nil {
		return fmt.Errorf("our Handler: %w", err)
	}
	return fmt.Errorf("our Handler delivers it: %s", strings.Join(ours.lines(""), "; "))
}

// misses compares the witness's account with what the operation wants.
func (op *operation) misses(theirs *account) []string {
	var problems []string
	whole := theirs.whole()
	if got := whole.get("verb"); got != op.verb {
		problems = append(problems, fmt.Sprintf("verb: SDK %s, want %s", quote(got), quote(op.verb)))
	}
	for name, want := range op.want {
		if got := whole.get(name); got != want {
			problems = append(problems, fmt.Sprintf("%s: SDK %s, want %s", name, quote(got), quote(want)))
		}
	}
	if want := op.event; want != "" && theirs.views[0].event != want {
		problems = append(problems, fmt.Sprintf("event: SDK %q, want %q", theirs.views[0].event, want))
	}
	return problems
}

func joined(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return errors.New(strings.Join(problems, "\n"))
}

// Whose device it is, in reports.
const (
	sdkDevice = "the SDK's device"
	ourDevice = "our Handler's device"
)

// acknowledged reports whether everybody has acknowledged every frame.
func (w *world) acknowledged(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience/2)
	defer cancel()
	err := w.WaitAcked(ctx)
	if err != nil {
		var problems []string
		for _, p := range w.people() {
			for _, d := range w.Devices(p) {
				if len(d.Unacked) == 0 {
					continue
				}
				who := sdkDevice
				if d.Name == handlerDevice {
					who = ourDevice
				}
				problems = append(problems, fmt.Sprintf("%s of %s has not acknowledged %d frames, first %s", who, p.Email, len(d.Unacked), d.Unacked[0]))
			}
		}
		err = fmt.Errorf("%w\ncause: %s", joined(problems), causeWithheld)
	}
	w.report.check("every frame has been acknowledged, by the SDK and by our Handler", err)
}

// asMap is v as the SDK's functions take objects.
func asMap(v json.RawMessage) map[string]any {
	var m map[string]any
	json.Unmarshal(v, &m) // it came from the driver as JSON
	return m
}
