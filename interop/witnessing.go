package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// witnessing lets several people post at the same time, in several rooms, and
// compares the streams of both sides as wholes.
func (w *world) witnessing(ctx context.Context) {
	const each = 50
	ctx, cancel := context.WithTimeoutCause(ctx, 2*patience, errors.New("waited "+(2*patience).String()))
	defer cancel()
	w.report.section("Witnessing: one stream, two views")

	var posters sync.WaitGroup
	var mu sync.Mutex
	var ids []string
	var sendErr error
	sent := func(id string, err error) {
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, id)
		sendErr = errors.Join(sendErr, err)
	}
	for _, post := range []func(i int) (string, error){
		func(i int) (string, error) {
			return w.alice.Post(w.direct, webexmsgtest.Message{Text: fmt.Sprint("cloud, direct ", i)}), nil
		},
		func(i int) (string, error) {
			m := webexmsgtest.Message{Text: fmt.Sprint("cloud, group ", i), Mentions: []*webexmsgtest.Person{w.Bot()}}
			return w.bob.Post(w.group, m), nil
		},
		func(i int) (string, error) {
			return w.submit(ctx, nil, "post", map[string]any{"url": w.direct.URL()}, fmt.Sprint("SDK, direct ", i))
		},
	} {
		posters.Go(func() {
			for i := range each {
				sent(post(i))
			}
		})
	}
	posters.Wait()

	err := w.explain(sendErr, w.sender)
	for _, id := range ids {
		if err == nil {
			_, err = w.theirs.find(ctx, id)
		}
		if err == nil {
			_, err = w.ours.find(ctx, id)
		}
	}
	name := fmt.Sprintf("%d messages of three at a time reach the SDK and our Handler", 3*each)
	if !w.report.check(name, err) {
		return
	}
	w.compareStreams()
}

// compareStreams compares all that both sides have seen since the beginning:
// what, and in which order.
func (w *world) compareStreams() {
	// What one side could not tell has been reported before.
	theirs, ours := w.ours.without(w.theirs.all()), w.theirs.without(w.ours.all())
	var problems []string
	if len(theirs) != len(ours) {
		problems = append(problems, fmt.Sprintf("the SDK saw %d activities, our Handler %d", len(theirs), len(ours)))
	}
	fields := 0
	for i := range min(len(theirs), len(ours)) {
		fields += theirs[i].size()
		for _, d := range compare(theirs[i], ours[i], "ours") {
			problems = append(problems, fmt.Sprintf("activity %d: %s", i, d))
		}
		if len(problems) > 10 {
			problems = append(problems, "…")
			break
		}
	}
	name := fmt.Sprintf("all %d activities are the same, field by field (%d fields), in the same order", len(theirs), fields)
	w.report.check(name, joined(problems))

	err := errors.Join(w.theirs.unexplained(), w.ours.unexplained())
	w.report.check("nobody has reported any other error", err)
}

// reconnecting breaks every connection: both sides must come back by
// themselves, and hear what is posted then.
func (w *world) reconnecting(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("waited "+patience.String()))
	defer cancel()
	w.report.section("Reconnecting: the network breaks under everybody")
	n := w.DropSockets()
	err := w.WaitSockets(ctx, n)
	if !w.report.check(fmt.Sprintf("all %d sockets are back", n), w.explain(err, w.witness)) {
		return
	}
	w.perform(ctx, operation{
		name:  "Alice posts after it",
		do:    play(nil, func(w *world) string { return w.alice.Post(w.direct, webexmsgtest.Message{Text: "still there?"}) }),
		verb:  "post",
		event: "message:created",
		want:  map[string]string{"text": "still there?"},
	})
}
