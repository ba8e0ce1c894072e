package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/webexmsg/webexmsg"
)

// A restID is what one of our payloads' methods makes of an id of Mercury's.
type restID struct {
	kind webexmsg.Kind
	of   string // as Mercury has it: in the fields that are compared
	made string
}

// restIDs are all that our Handler's payloads have made.
type restIDs struct {
	mu  sync.Mutex
	all map[restID]bool
}

func newRESTIDs() *restIDs { return &restIDs{all: make(map[restID]bool)} }

func (r *restIDs) add(kind webexmsg.Kind, of, made string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[restID{kind, of, made}] = true
}

// question returns them in some order, but for those that are rightly empty, and what
// the SDK must be asked to make the same.
func (r *restIDs) question() (ours []restID, question []map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.all {
		if id.of == "" && id.made == "" {
			continue
		}
		ours = append(ours, id)
		question = append(question, map[string]string{"kind": string(id.kind), "of": id.of})
	}
	return ours, question
}

// compareRESTIDs lets the SDK make each REST id that our payloads have made, by
// its own functions.
func (w *world) compareRESTIDs(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ours, question := w.rest.question()
	var theirs []string
	err := w.witness.Call(ctx, &theirs, "restIDs", w.direct.URL(), question)
	kinds := make(map[webexmsg.Kind]int)
	var problems []string
	for i := range min(len(ours), len(theirs)) {
		kinds[ours[i].kind]++
		if ours[i].made != theirs[i] {
			problems = append(problems, fmt.Sprintf("%s %s: SDK %s, ours %s", ours[i].kind, ours[i].of, theirs[i], quote(ours[i].made)))
		}
	}
	if err == nil && (len(ours) == 0 || len(ours) != len(theirs)) {
		err = fmt.Errorf("the SDK has made %d ids, our Handler %d", len(theirs), len(ours))
	}
	summary, _ := json.Marshal(kinds)
	w.report.check("every id that an event of ours has for the REST API is as the SDK makes it",
		w.explain(errors.Join(err, joined(problems)), w.witness), "both: "+string(summary))
}
