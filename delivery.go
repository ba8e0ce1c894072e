package webexmsg

import (
	"context"
	"time"
)

const (
	// maxQueueBytes bounds the activities that wait, beside Config.QueueSize.
	maxQueueBytes = 64 << 20
	// rememberFor and rememberIDs say how many handled activities are known
	// again when they come twice.
	rememberFor = 30 * time.Minute
	rememberIDs = 1 << 18
)

// A job is an activity on its way to its callbacks.
type job struct {
	a        *activity
	ack      func() // to be called when it has been handled; nil if it was before
	caughtUp bool
}

// activity takes one from the socket. It implements mercurySink.
func (s *session) activity(a *activity, ack func()) {
	if s.closed.Load() {
		return // not acknowledged: whoever comes next may get it
	}
	j := job{a: a}
	if s.cfg.AckAfterHandling {
		j.ack = ack
	} else {
		defer ack()
	}
	s.h.lastEvent.Store(time.Now().UnixNano())
	s.recovery.live(j)
}

func (s *session) kmsAnswers(messages []string) { s.kms.answers(messages) }

func (s *session) lost(cause string, err error) {
	if err != nil {
		s.h.report(err)
	}
	s.recovery.lost(s.lastHeard(), cause)
}

// alive notes that the server was heard. Until now nothing is missing.
func (s *session) alive(pong bool) {
	s.heard.Store(s.rest.serverNow().UnixNano())
	if pong {
		s.h.lastPong.Store(time.Now().UnixNano())
	}
}

func (s *session) lastHeard() time.Time { return time.Unix(0, s.heard.Load()) }

// queue takes an activity for delivery, unless there is no room. One that is
// being handled, or was, is taken and forgotten.
func (s *session) queue(j job) bool {
	if !s.begin(j) {
		return true
	}
	if s.work.TryPut(j.a.room(), j, len(j.a.raw)) {
		return true
	}
	s.drop(j)
	return false
}

// put is queue that waits for room. For an activity that is known it returns
// errKnown.
func (s *session) put(ctx context.Context, j job) error {
	if !s.begin(j) {
		return errKnown
	}
	err := s.work.Put(ctx, j.a.room(), j, len(j.a.raw))
	if err != nil {
		s.drop(j)
	}
	return err
}

func (s *session) begin(j job) bool {
	if j.a.ID != "" && !s.h.seen.Begin(j.a.ID) {
		s.log.Debug("dropped a duplicate", "activity", j.a.ID)
		if j.ack != nil {
			j.ack()
		}
		return false
	}
	s.progress.begin(j.a)
	for _, uri := range j.a.keyURLs() {
		s.kms.want(uri)
	}
	return true
}

// drop forgets an activity that was begun and not handled. It may come again.
func (s *session) drop(j job) {
	s.h.seen.Drop(j.a.ID)
	s.progress.drop(j.a)
}

// overflowed counts an activity that found no room and cannot be fetched. The
// error event says how many there were when its callbacks are called.
func (s *session) overflowed() {
	if s.overflows.Add(1) == 1 {
		s.notify(func(ctx context.Context) {
			err := &OverflowError{Count: int(s.overflows.Swap(0))}
			s.h.topics.errors.emit(ctx, EventError, err, s.h.errorCallbackFailed)
		})
	}
}

// hears says whether the bot is to hear of an activity that was fetched, by
// the rule that Mercury follows: in a group room a bot is sent what mentions
// it, and what concerns a message that it heard. That a mention of all counts
// is a guess.
func (s *session) hears(a *activity) bool {
	me := s.me.Load()
	if me == nil || !me.bot || a.direct() || a.Actor.uuid() == me.userID {
		return true
	}
	known := func(id string) bool { return id != "" && s.h.seen.Known(id) }
	switch a.Object.ObjectType {
	case "comment", "content":
		return a.mentions(me.userID) || a.Parent.Type != "reply" && (known(a.Parent.ID) || known(a.Object.ID))
	case "activity", "reaction2", "reaction2Summary":
		return known(a.Parent.ID) || known(a.Object.ID)
	}
	return true
}

// mentions reports whether a message mentions a person, or everybody.
func (a *activity) mentions(person string) bool {
	for i := range a.Object.Mentions.Items {
		if a.Object.Mentions.Items[i].uuid() == person {
			return true
		}
	}
	return len(a.Object.GroupMentions.Items) > 0
}

// handle takes an activity through decryption, filter and callbacks. It runs
// on its room's lane.
func (s *session) handle(j job) {
	select {
	case <-s.known:
	case <-s.callbacks.Done():
	}
	handled := false
	defer func() { // also when a callback ends its goroutine
		if !handled {
			s.h.seen.Drop(j.a.ID) // and the cursor stays before it
			return
		}
		s.h.seen.Done(j.a.ID)
		s.progress.done(j.a)
		if j.ack != nil {
			j.ack()
		}
	}()
	handled = s.deliver(j)
}
