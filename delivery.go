package webexmsg

import (
	"time"

	"github.com/webexmsg/webexmsg/internal/jwe"
)

const (
	// maxQueueBytes bounds the activities that wait, beside Config.QueueSize.
	maxQueueBytes = 64 << 20
	// keyTimeout is how long an activity waits for its key.
	keyTimeout = 30 * time.Second
	// rememberFor and rememberIDs say how many handled activities are known
	// again when they come twice.
	rememberFor = 30 * time.Minute
	rememberIDs = 1 << 18
)

// A job is an activity on its way to its callbacks.
type job struct {
	a *activity
}

// activity takes one from the socket and queues it for its room. It implements
// mercurySink.
func (s *session) activity(a *activity, ack func()) {
	if s.closed.Load() {
		return // not acknowledged: whoever comes next may get it
	}
	defer ack()
	if a.ID != "" && !s.h.seen.Begin(a.ID) {
		s.log.Debug("dropped a duplicate", "activity", a.ID)
		return
	}
	for _, uri := range a.keyURLs() {
		s.kms.want(uri)
	}
	if !s.work.TryPut(a.room(), job{a: a}, len(a.raw)) {
		s.h.seen.Drop(a.ID)
	}
}

func (s *session) kmsAnswers(messages []string) { s.kms.answers(messages) }

func (s *session) lost(cause string) {}

func (s *session) alive() {}

// handle takes an activity through decryption, filter and callbacks. It runs
// on its room's lane.
func (s *session) handle(j job) {
	a := j.a
	select {
	case <-s.known:
	case <-s.callbacks.Done():
	}
	handled := s.deliver(a)
	if handled {
		s.h.seen.Done(a.ID)
	} else {
		s.h.seen.Drop(a.ID)
	}
}

// deliver calls the callbacks of an activity. It reports false if that was
// given up because the session ends.
func (s *session) deliver(a *activity) bool {
	kind := a.kind()
	if me := s.me.Load(); kind == kindOther || me == nil || a.Actor.uuid() == me.userID && !s.cfg.IncludeSelfMessages {
		return me != nil
	}
	err := a.open(func(uri string) (*jwe.Key, error) { return s.kms.key(s.keys, uri, keyTimeout) })
	if s.callbacks.Err() != nil {
		return false
	}
	if err != nil {
		s.log.Warn("cannot decrypt", "activity", a.ID, "room", a.room(), "err", err)
		s.h.report(&DecryptError{ActivityID: a.ID, RoomID: a.room(), Err: err})
		return true
	}
	failed := s.h.callbackFailed(a.ID)
	switch t := &s.h.topics; kind {
	case kindMessageCreated:
		t.messageCreated.emit(s.callbacks, EventMessageCreated, a.message(), failed)
	case kindMessageUpdated:
		t.messageUpdated.emit(s.callbacks, EventMessageUpdated, a.message(), failed)
	case kindMessageDeleted:
		t.messageDeleted.emit(s.callbacks, EventMessageDeleted, a.deletion(), failed)
	}
	return true
}
